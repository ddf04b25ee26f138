# bash completion of zlayer, printed by 'zlayer completion bash'.

_zlayer_containers() { zlayer "${globals[@]}" ps -aq 2>/dev/null; }
_zlayer_images() { zlayer "${globals[@]}" images -q 2>/dev/null; }

_zlayer_verbs() { echo 'run exec ps logs inspect stats wait stop kill pause unpause rm up down validate pull push images rmi image events info system vm oci version completion help'; }
_zlayer_options() {
  case $1 in
    '') echo '--root --slice-cidr --log-level --help --version' ;;
    'run') echo ' --add-host --cap-add --cap-drop --cidfile --cpu-shares --cpus --cpuset-cpus --detach --device --dns --entrypoint --env --env-file --group-add --hostname --init --interactive --ipc --isolation --label --memory --memory-swap --name --network --oom-score-adj --pid --pids-limit --privileged --publish --pull --read-only --rm --security-opt --stop-signal --stop-timeout --sysctl --tmpfs --tty --ulimit --user --userns --volume --workdir --root --slice-cidr --log-level --help' ;;
    'exec') echo ' --env --env-file --interactive --tty --user --workdir --root --slice-cidr --log-level --help' ;;
    'ps') echo ' --all --filter --quiet --no-trunc --json --root --slice-cidr --log-level --help' ;;
    'logs') echo ' --follow --tail --since --until --timestamps --stdout --stderr --json --root --slice-cidr --log-level --help' ;;
    'inspect') echo ' --type --json --root --slice-cidr --log-level --help' ;;
    'stats') echo ' --no-stream --json --root --slice-cidr --log-level --help' ;;
    'wait') echo ' --json --root --slice-cidr --log-level --help' ;;
    'stop') echo ' --time --quiet --root --slice-cidr --log-level --help' ;;
    'kill') echo ' --signal --quiet --root --slice-cidr --log-level --help' ;;
    'pause') echo ' --quiet --root --slice-cidr --log-level --help' ;;
    'unpause') echo ' --quiet --root --slice-cidr --log-level --help' ;;
    'rm') echo ' --force --quiet --root --slice-cidr --log-level --help' ;;
    'up') echo ' --detach --quiet --root --slice-cidr --log-level --help' ;;
    'down') echo ' --time --quiet --root --slice-cidr --log-level --help' ;;
    'validate') echo ' --quiet --json --root --slice-cidr --log-level --help' ;;
    'pull') echo ' --policy --quiet --root --slice-cidr --log-level --help' ;;
    'push') echo ' --compression --quiet --json --root --slice-cidr --log-level --help' ;;
    'images') echo ' --quiet --no-trunc --json --root --slice-cidr --log-level --help' ;;
    'rmi') echo ' --force --quiet --root --slice-cidr --log-level --help' ;;
    'image') echo ' --root --slice-cidr --log-level --help' ;;
    'image save') echo ' --output --compression --quiet --root --slice-cidr --log-level --help' ;;
    'image load') echo ' --input --quiet --root --slice-cidr --log-level --help' ;;
    'image tag') echo ' --root --slice-cidr --log-level --help' ;;
    'image inspect') echo ' --json --root --slice-cidr --log-level --help' ;;
    'image history') echo ' --no-trunc --json --root --slice-cidr --log-level --help' ;;
    'events') echo ' --since --follow --json --root --slice-cidr --log-level --help' ;;
    'info') echo ' --json --root --slice-cidr --log-level --help' ;;
    'system') echo ' --root --slice-cidr --log-level --help' ;;
    'system check') echo ' --repair --json --root --slice-cidr --log-level --help' ;;
    'system prune') echo ' --all --volumes --dry-run --force --json --root --slice-cidr --log-level --help' ;;
    'system df') echo ' --json --root --slice-cidr --log-level --help' ;;
    'vm') echo ' --root --slice-cidr --log-level --help' ;;
    'vm status') echo ' --json --root --slice-cidr --log-level --help' ;;
    'vm pool') echo ' --no-wait --json --root --slice-cidr --log-level --help' ;;
    'vm template') echo ' --rebuild --root --slice-cidr --log-level --help' ;;
    'oci') echo ' --root --slice-cidr --log-level --help' ;;
    'version') echo ' --json --root --slice-cidr --log-level --help' ;;
    'completion') echo ' --root --slice-cidr --log-level --help' ;;
    'help') echo ' --root --slice-cidr --log-level --help' ;;
  esac
}
_zlayer_operands() {
  case $1 in
    '') _zlayer_verbs ;;
    'run') echo '@image' ;;
    'exec') echo '@container' ;;
    'ps') echo '' ;;
    'logs') echo '@container' ;;
    'inspect') echo '@container' ;;
    'stats') echo '@container' ;;
    'wait') echo '@container' ;;
    'stop') echo '@container' ;;
    'kill') echo '@container' ;;
    'pause') echo '@container' ;;
    'unpause') echo '@container' ;;
    'rm') echo '@container' ;;
    'up') echo '@file' ;;
    'down') echo '@file' ;;
    'validate') echo '@file' ;;
    'pull') echo '@image' ;;
    'push') echo '@image' ;;
    'images') echo '' ;;
    'rmi') echo '@image' ;;
    'image') echo 'save load tag inspect history' ;;
    'image save') echo '@image' ;;
    'image load') echo '' ;;
    'image tag') echo '@image' ;;
    'image inspect') echo '@image' ;;
    'image history') echo '@image' ;;
    'events') echo '' ;;
    'info') echo '' ;;
    'system') echo 'check prune df' ;;
    'system check') echo '' ;;
    'system prune') echo '' ;;
    'system df') echo '' ;;
    'vm') echo 'status pool template' ;;
    'vm status') echo '' ;;
    'vm pool') echo '' ;;
    'vm template') echo '' ;;
    'oci') echo '' ;;
    'version') echo '' ;;
    'completion') echo 'bash' ;;
    'help') echo '@verb' ;;
  esac
}
_zlayer_value() {
  case $1 in
    'run --add-host') echo '-' ;;
    'run --cap-add') echo '-' ;;
    'run --cap-drop') echo '-' ;;
    'run --cidfile') echo '@file' ;;
    'run --cpu-shares') echo '-' ;;
    'run --cpus') echo '-' ;;
    'run --cpuset-cpus') echo '-' ;;
    'run --device') echo '-' ;;
    'run --dns') echo '-' ;;
    'run --entrypoint') echo '-' ;;
    'run --env'|'run -e') echo '-' ;;
    'run --env-file') echo '@file' ;;
    'run --group-add') echo '-' ;;
    'run --hostname'|'run -h') echo '-' ;;
    'run --ipc') echo '-' ;;
    'run --isolation') echo 'auto process hyperv' ;;
    'run --label'|'run -l') echo '-' ;;
    'run --memory'|'run -m') echo '-' ;;
    'run --memory-swap') echo '-' ;;
    'run --name') echo '-' ;;
    'run --network') echo '-' ;;
    'run --oom-score-adj') echo '-' ;;
    'run --pid') echo '-' ;;
    'run --pids-limit') echo '-' ;;
    'run --publish'|'run -p') echo '-' ;;
    'run --pull') echo 'always newer missing if_not_present never' ;;
    'run --security-opt') echo '-' ;;
    'run --stop-signal') echo '-' ;;
    'run --stop-timeout') echo '-' ;;
    'run --sysctl') echo '-' ;;
    'run --tmpfs') echo '-' ;;
    'run --ulimit') echo '-' ;;
    'run --user'|'run -u') echo '-' ;;
    'run --userns') echo 'host private' ;;
    'run --volume'|'run -v') echo '-' ;;
    'run --workdir'|'run -w') echo '-' ;;
    'exec --env'|'exec -e') echo '-' ;;
    'exec --env-file') echo '@file' ;;
    'exec --user'|'exec -u') echo '-' ;;
    'exec --workdir'|'exec -w') echo '-' ;;
    'ps --filter'|'ps -f') echo '-' ;;
    'logs --tail'|'logs -n') echo '-' ;;
    'logs --since') echo '-' ;;
    'logs --until') echo '-' ;;
    'inspect --type') echo 'container image' ;;
    'stop --time'|'stop -t') echo '-' ;;
    'kill --signal'|'kill -s') echo '-' ;;
    'down --time'|'down -t') echo '-' ;;
    'pull --policy') echo 'always newer if_not_present never' ;;
    'push --compression') echo 'gzip zstd' ;;
    'image save --output'|'image save -o') echo '@file' ;;
    'image save --compression') echo 'gzip zstd none' ;;
    'image load --input'|'image load -i') echo '@file' ;;
    'events --since') echo '-' ;;
    *' --root') echo '@directory' ;;
    *' --slice-cidr') echo '-' ;;
    *' --log-level') echo 'error warning info debug' ;;
  esac
}

_zlayer_complete() {
  local want=$1 cur=$2
  case $want in
    @container) COMPREPLY=($(compgen -W "$(_zlayer_containers)" -- "$cur")) ;;
    @image) COMPREPLY=($(compgen -W "$(_zlayer_images)" -- "$cur")) ;;
    @directory) COMPREPLY=($(compgen -d -- "$cur")) ;;
    @verb) COMPREPLY=($(compgen -W "$(_zlayer_verbs)" -- "$cur")) ;;
    @file) COMPREPLY=($(compgen -f -- "$cur")) ;;
    *) COMPREPLY=($(compgen -W "$want" -- "$cur")) ;;
  esac
}

_zlayer() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} path='' word i
  local -a globals=()
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=${COMP_WORDS[i]}
    if [[ $word == --root || $word == --slice-cidr ]]; then
      globals+=("$word" "${COMP_WORDS[++i]}")
    elif [[ $word == -* ]]; then
      [[ $(_zlayer_value "$path $word") ]] && ((i++))
    elif [[ $(_zlayer_options "${path:+$path }$word") ]]; then
      path="${path:+$path }$word"
    else
      break
    fi
  done
  local value
  value=$(_zlayer_value "$path $prev")
  if [[ $value && $value != - ]]; then
    _zlayer_complete "$value" "$cur"
  elif [[ $value == - ]]; then
    :
  elif [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$(_zlayer_options "$path")" -- "$cur"))
  else
    _zlayer_complete "$(_zlayer_operands "$path")" "$cur"
  fi
}
complete -o filenames -F _zlayer zlayer
