"""Makes password hashes as other systems do, as an array for `strongroom user import`: hashes.py PASSWORD."""

import json
import sys

import argon2
import bcrypt
import django.conf
import django.contrib.auth.hashers as django_hashers
import werkzeug.security

password = sys.argv[1]
django.conf.settings.configure()
hashes = {
    "bcrypt": bcrypt.hashpw(password.encode(), bcrypt.gensalt(10)).decode(),
    "bcrypt-2a": bcrypt.hashpw(password.encode(), bcrypt.gensalt(8, prefix=b"2a")).decode(),
    "argon2": argon2.PasswordHasher(memory_cost=32768).hash(password),
    "werkzeug-pbkdf2": werkzeug.security.generate_password_hash(password, method="pbkdf2:sha256"),
    "werkzeug-pbkdf2-512": werkzeug.security.generate_password_hash(password, method="pbkdf2:sha512:1000"),
    "django-pbkdf2": django_hashers.PBKDF2PasswordHasher().encode(password, "salt1234"),
    "django-bcrypt": django_hashers.BCryptSHA256PasswordHasher().encode(password, bcrypt.gensalt(8)),
    "django-bcrypt-plain": django_hashers.BCryptPasswordHasher().encode(password, bcrypt.gensalt(8)),
}
try:
    hashes["werkzeug-scrypt"] = werkzeug.security.generate_password_hash(password, method="scrypt")
except ValueError:  # werkzeug before 2.3 has no scrypt; the same is made by hashlib
    import hashlib

    made = hashlib.scrypt(password.encode(), salt=b"saltsalt12345678", n=32768, r=8, p=1, maxmem=1 << 26).hex()
    hashes["werkzeug-scrypt"] = f"scrypt:32768:8:1$saltsalt12345678${made}"
print(json.dumps([
    {"username": name, "password_hash": text, "email": f"{name}@example.com"} for name, text in hashes.items()
]))
