/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys, and what OpenSSL's command line has signed with them: "what was signed". The private halves
 * are gone.
 */
#ifndef ZL_TESTS_SIGNATURE_VECTORS_H
#define ZL_TESTS_SIGNATURE_VECTORS_H

static const char signed_data[] = "what was signed";

static const struct vector {
  const char *name, *jws, *pem;
  const char *by_key, *by_jws; /* base64 */
} vectors[] = {
  { .name = "p256",
    .jws = "ES256",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEx25/I+VLkBVgw6WUoh5ZCIowtLY3\n"
           "p30Jn6CCMLq20kptWQ7Jfvem44OUM9xHnoKcnz683rWsaAqO0cMMbAWrOw==\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "MEUCIQDce/Gk5QT1PmEk/IZ6udyoCkT0Le0P7gjqn/jULke1fwIgC5L7VzJLShJ5n6F6PS+tXI/C"
              "jxnBmCEYNevRMa/jK24=",
    .by_jws = "ilxRVzRuUuXWQG6sP12ZZPMJRkd5kjjj7nTMEoRgyACtZv+eCB9l8haYKgPdTMy4r/576RiwEi4X"
              "yJgcMwDRkg==" },
  { .name = "p384",
    .jws = "ES384",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE0a6uTLTnySXijuMyGhEOSmWxvzQA4Sq4\n"
           "nQRMP3YO19FKcbWpqPEghXCKnrbiXWsrwADN6PiHwSSIgTC9iSoyh29yTwgfazut\n"
           "SBCWOdxltmVfgV42dPUYgeppqfNMXRkl\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "MGUCMDppUz/lk7XTq+x/AQWkD9S1EXJQBsrU9WLIqGrGnr75+ktRR0AVy1a83lhSLwSRugIxAJ+m"
              "DQGX9beHPd2uOMsIMEQuiLgxxvtKfDFZZYUBgGikyXQ+T0QsYYBFu0EWnhbDHQ==",
    .by_jws = "Y2xaYCJO3Z8BoJrwGHcz3mKoBDTz4A6hMTeCVMn7a6fmfxxKFqCIvoQGl0+HwLLv7pQf0LlmnPSL"
              "LvDIC1puwA0SBx40afbC9EGelCOotkZq5eqe0w++DYesjNL6xrMg" },
  { .name = "p521",
    .jws = "ES512",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MIGbMBAGByqGSM49AgEGBSuBBAAjA4GGAAQBUdgzrtS3gL1pxxeE9zDKXG2UCjn5\n"
           "D4JahVH22HisZ2QOtQnWZIt5e8f6DqYGWRpbLK91veinIBub5dJeUMecFlEB2MQb\n"
           "uaz83WQ4Y1U+XCUs4r8poeVV11QowDvV0p/BBptKspRWk/NChCZNo3Q1B/yIYzUs\n"
           "pyw8pXFCL3rTxAYkwl0=\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "MIGGAkFWbx8xqhz8wEjTcgDZ8Q8adPtWc3FypVsHlmmRAqqS3nHOD2sBLPFV9moNlcfeo3BJIDHg"
              "Ia9KDSRGHpvXYODjjAJBAaJu9tkqI5y3E21s3l8ca6erU9qma9r8BqFwvoj/6Nk3fXDde0grcFkV"
              "IPvDSHk9ksffjfqTi9iLdXIgLOBJnvc=",
    .by_jws = "AAAfC+bGpduqdXnIlcJtP9pKqyJxPgmqO2iUZ265Cb1SVcERXXS3IAMnb0P0ej1BlB9F/j19Oajz"
              "l/l1dCVGVM7gAOIURlDccLN4LWXKyT+e5T8P0sjLURbbsNRoRzavdk3Gq9KO2eyyJVCmMmEo5GQV"
              "oIeX7xpfsFUG8tkrfOiOd3VZ" },
  { .name = "rsa2048",
    .jws = "PS256",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAyV/RJNMlHrF/wHTNuC0p\n"
           "bgycGSifNKus7HyYg5YNBfeN8U6MSeXSHxAg3YK+nSEroa3cCNRDEYohfLkeZW3M\n"
           "rA6JX2mxhagbNOcLeaVZk/ZXyy81Orhsz6sb0fUb0ijQSHOb1guLCCLmGQv7I27I\n"
           "hTUr0kPje1xGN5/9UwNkhyA2LYXxnGZKQ+eE8XNN1bicBiheXbG+h3Bv+WpOLI9g\n"
           "r+DaB9V33abxFiVvEbZxoGhhsWjcOYQwP7vSief3gDaHy76WlWpmkJHRZtFR1wsH\n"
           "eEqXQF/XYZxrP9o+IvrYCIApt0K5vWepIf0wNwvK6vaQDOwGGAxlHWqEU/JZTUVT\n"
           "gwIDAQAB\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "kufdDzl2uwW6kCfs2mjGDOHJ/XhBTOkDAB5aHZPQHOF+84Ru8sNz1cPX1h4TQ4fZwd9ea2HSO8EM"
              "ZEGf/VBsxR2Y/i1wmA/CHmCkyqg1//SjLhq1vKjOWbUfq4KbdFDXsH3SoKJMpQBCI3zbTqxfS7Yq"
              "YoSrgK+Jp0RqbIe1vAyK1SpLmojB6ujvpXq5wuv7mFWDfRwRjlAs381faIZjdnqnZ2wdtQJGEzDg"
              "/DtRsLmy0sk+6zbHUQb98JOEFAxJCcYcN4G+iMqyeEoG5+/h1ouqndnxFSmf64GuETK6iVXEOniN"
              "DrO9A50+t0NvVMQNKWLVLnkC5kJH/iy24qMl1A==",
    .by_jws = "tKlOuFynVcXeOwUIRLTOoe8VDVjLhcQ1A6TaPMx7yuI+rz+y+WsPw1h1tS23SdRNrScHenjbTrfj"
              "oH+Rev2Jc4jUEzRUNxAGhUzB0W7pIDxTG1IDiGI1uxyFZBamxZIgKvmX/phT5LBbV+Hh7g9KS62P"
              "kefDx7qbzM8uvwkHv6G9JKB0dwh+jWQVlA44Cidy1KlmkIgpBYZNYAj1yzK4twP+WKCdCAkTNPk6"
              "J0dy0n+crDG2RU6/6NgBoISdFZph6i7zwW8BzLcWZD2GrIuBaxiB3ZkWI1ojaX7qhny3UMXKsUWq"
              "TQoQFNkG7oTe19z+wxn26GgK1D0EPJuh95d2OA==" },
  { .name = "rsa3072",
    .jws = "PS384",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEArkyXbKhU5KoQwP/bcMXt\n"
           "GXaVuBoSW9B/iVRC9bVv6XEC8TUVrpoi/Q3GCSQ5p3OUaH944/x90UPolqr7xeBu\n"
           "zN9fJMiZDzhjnkaMOshoJxnXtwXHfuYEH3WJ6hZinhtrhJJMHWBF3w8PfiLfl+qP\n"
           "0VrEDQA/eRWmWSpACY9As4U+x2FeBUXJRDoqSYpwXVfqyRhZ7PQjcMkpTrhBXxNH\n"
           "DO0OzYQKqOUqqq1rZit+Gahoxi/3Up65JzknYkqhr5rfNzfc8EHJqoQbx/zQQNIs\n"
           "/KnhF4Xs2Ulr4Z1GWeloz2/90w9zUMfOT+fsNuUUUUvc2AaAeicSsixtcDYF4o8T\n"
           "iCHxFzitmSXojjQ4FEoVxGU06ixYyZoNcx3uht+W+5zFQ9+YRjyil0whvYYsJ1Rn\n"
           "jt8IUiGkhgn0MkorvEYSz2D3CSuaxC796d7RVazarkaAECTwe1IQDVstOYxY1Fw3\n"
           "4RLJ1ZyLQu/C1n4GQJ690BWCcrwhUtE9sms4ydt8goXDAgMBAAE=\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "qJMHq+0URVNs3UjiPAT2jVvSrX+/twUn4uemZDsqWkQBVM4TUfLWg54IXr9u9SbUqztQdWys9RDP"
              "eBIo1Y8rIfjL2EJhlfw72lrjIZ6o+XLP+gIOKu4pkWZ8cQrW6CvsQN5kDFWQ7KKCup+4m0Rx1b8y"
              "flR7f55r7zBWTBZ8f0htQmJClBOUbIyuSaGmCyqsswAQL/OwgcUj1ygAP6zAJU1wuYg7aoiHZj/f"
              "SxImVYutQtM48h49yTvyuuuewJgzh6BJin6CE8zmdrnvFAYyvDIKArhzKL5+wu1Vle3anCz8EOJu"
              "NLIuH/wz8UW0wcgdcl8O1I/9pYKmWcpuVRfqa0mASQiKlVeOpeHkD/DSQ/0q2fOW1DlkZE49IrHu"
              "Bgmlgi9ayG339a0/TLCK5s7zCRDCg8YsD26GTAwSV7Lp6iJ3DHnwNmVKM0huI/aivawHLF+Xz4mR"
              "suJYi7DacKo+CNrVrXOCiMtp9lrtA7PVcVA0F+e6bXwtRkhuoH4nbXUq",
    .by_jws = "Zis6ltXnzSTm2icil490eyfgUuMzRmlteQCXMbqDFVpWZyrc7raUJV2mnw9mOzv3oIl1+tPs56t1"
              "7IH/CjIwUase1OBbU29ShhJoxRhRxzd4RuLTX+6J2AlZJ4gLWEU43gV0pNK7mjKdZmQRZ9t92s7j"
              "t/k3HX76/FK1HdBCQq+dZnJxIL7JkaJjSR7C40LREDfZra199+j0jOK4gPhPuP6fR3HABN10RqnW"
              "JYTMgjZVZCJROiBN/k+MgWvzNBVmsJcC94KIvyR5yLzY/8NQrxuMPNrON5gpc/+Uygsp2LcZ1EA2"
              "uGwevyI9+moVpXQQoYFApfWVgLYY93lhqNBqyH8FS4uLBIBZ58WfLTnc1NDYfzb6IQW5xQloX/Px"
              "fess1I4tjOWPlK4lMzerYRCNEgT47gJgI/yBTAFe9VxW6l33Ds8hlBv1gkST/fFTYw4HyDeAKWNB"
              "MoqVrfKQ4tlSaaDEXJuCVWTp8Jd0NKwouVFC5j/w55xyLPtkxOFRgTrK" },
  { .name = "rsa4096",
    .jws = "PS512",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAjvPkZH5bUpZbg6xUPBHV\n"
           "t9SyshYTfT/LGVUBWGB7BRaWqJ68seJZDjJUn4xjqFD4QkNChqV0dTDlO9FTeD14\n"
           "X/vwKyLC4+GwKymtBzFGAl/qi7kZ9rjxuY/m302jHZSUTlyrjxeHPLUNdzRVLB/q\n"
           "UZl6NPkeStLEQqqxLdDb6m1pojJcC9RVe60n5g27dP47CC0iULUqm6A762XeY34X\n"
           "lR4EZWxpGW5dieUfsHdA+ny4T/F7VPH5nNCgpLEcPkEQDOIpTQNT9eXP4WXegOCu\n"
           "HDbS6NVxpLXxEcyg+qTAzOPCQhlNcqgWbouUQ5Bqf3D0OmVnJFC2EhED3smh7MMl\n"
           "hOejZxOXobaR9igrpyXS6HduiRMNFSm+XTHtOHabLs4MSnoU8LxMTZHrMZTVeUX6\n"
           "PbcdUgMtR/Idcv+4LQkSbFGbnmPjsT+PJUTyQItVG8vNeTZ6Tot4bCA7uVc3XyU4\n"
           "EovY0QA/TEtgZRA/YnAOpjmxu11aSVhuW17EJFNXGL+pmJMI5HuYb+3oQWPigtKT\n"
           "9ej46OIzw0XNd8hS/KnDAJZkgwfh8P4pd82U3/vk84/tYJZZ+R6B2Xa6OKK/T96A\n"
           "wl2GUCDigj0Xb+sD/Ag+S5mLJkWPAW+cVRekDxneBBheOzWGqTtJGE1NTnij7Zyb\n"
           "tKUX9uK0GSA780qUECTf1/cCAwEAAQ==\n"
           "-----END PUBLIC KEY-----\n",
    .by_key = "DlACvl4MVwOshE+X9YdGFhyJ2bPYtKfFkKPD5CpFnVSVSFBD3kYv82PE1Hi+KNIwJEwaakDu2teI"
              "8CMxtEEbalKaZ0BKIwFqjn09NwX6YofCKiIxLV4T5L4uHYWNLvjLHssIPFw3GAs8jC7UzwswDj1w"
              "Utjiifv0vMHPAkjKDxiqwnjnwQg7Ie/3yRfs46L1yyl3sijpsMKHiGMGEP5pKaYg3yWn/tqxjfg5"
              "mv/fEUrjvxeNl29g+PIistq5UoR6xcKZtmZVJvPoaZBhQeyCj1ZT8hsGhUtG5svSUgt/5EL4hPO6"
              "vH62RUiTwmhYApMc4WuzE0ZWfIVyDVmgeeCE6OzbOJkdQC8T0tSEG4ePNZeqHVxHeZLE03a9w36U"
              "fcRZuU83Sl4nc0gLUjA1gRvWmP+0jdL72R60CX4gpfQstbDlq8fdnKikvAzCw0tz8brTnvhYa0l+"
              "CBB+agamy4qAid2lYxKplBHEGyW4DFolbxoTdqIjDp1RIk/XgAWrKEpP5wFfpbXyymHZAscbBAxR"
              "SGc7/BxFG+MOg+B0pFl5k6SyOGsil7txElVXPiHGZGYqEcaeih86s7PlCL33fHNIV2EfvWRrjlmY"
              "SFYQVX5vRDItjImzb18srTp6RxVPyJG8NHLY6h2Mz4AtYfA5YeiM4E7vt2U/8G0IGdLIHLsR+bY=",
    .by_jws = "Uc/974+DAcbpUCjqkEsISpnNxbSZ4T05UnNXy4kEbE1jJ75SN3YsM3v9mqLvZBeD7dsX3Tv95NU9"
              "YhLKyd3O/S4Fqant1VG8+J4RqII/xwvwta8NStOY+DqRCOKZlxG4zKBf4MTYy3TVecT8DID+J9+j"
              "VxBIqpt1fzfSLtJ2RfBEbv46D6wk0Krw+YwT4R2bj6XnjBJRGgsM39bmHmwDP2fAbkj2ZW9HfMdY"
              "+oQqxOQVcRJeI1xgz1sQYI1PJhBO9Tho4JVB2BpN7DNSBNM7DHYBDPbl8/CbwXcQyWbqdGRqyuVe"
              "iHIWZVhcb1ZEgXSmBwnrI5CNAiW0YNxHz8ghIgschevf93/ke8TGLzD17GD4hdUFaADupEpkYd/x"
              "94KnIs4zrwOjRi6fTLhc4HZpfHtZzaTQS6OI79YWoJrNhDY5F7MRGnyPCsOMcFgULWXNRDxFptoe"
              "wkqvSQpsi4KXezbyo+JEKrbtpJxP6ZjdXHVBA6fC3t5Zvv4eh5pvQcavuwnAdUnZ1MV9R+fYgaGW"
              "LRlG7Hgqp5HsDt1UffPWPXLUfiIM/A26dO4PcieT3cKbCG06v7AX65x4NEJiFD0zdHe5Oj00JRs9"
              "k5c1jZC/dnYBJIMnzGy3+gaEAkkvCyX3op4C5+19zVsv0okezMa16CDP2hwIpODvx4Bn2fLYfmE=" },
};

/* Kinds and sizes that are refused. */
static const struct {
  const char *name, *pem;
} refused[] = {
  { .name = "rsa1024",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDJC2Hb6zYGIs3fmTI92R309Xkr\n"
           "yJ2ZblhvvtqSDUKaDYr56DnM0BmwqITj2Wp79qsSWSZiVXpJ82CpXpmEPjJOY43+\n"
           "Bj43YHfvzIhEMn1FbBV1nfMP2uKjbsWeaowUHyuN8yiB81XmgC3scJzjEgCKMJ/7\n"
           "Tb2dhw7yzLknTCJ6LwIDAQAB\n"
           "-----END PUBLIC KEY-----\n" },
  { .name = "secp256k1",
    .pem = "-----BEGIN PUBLIC KEY-----\n"
           "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEi5HzkNSe1LyoQqgXQqgBjLsVJW/IcBcM\n"
           "6qs7UA20IIgp9ZxDh4ISm1sv9PAyB+OvB4VGUEDXxJuPO8YNdoS/Rg==\n"
           "-----END PUBLIC KEY-----\n" },
};

#endif
