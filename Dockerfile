FROM python:3.13-slim AS build
WORKDIR /app
COPY requirements.lock .
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock

FROM python:3.13-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    ZUPA_ENV=production ZUPA_HOME=/var/lib/zupa HOST=0.0.0.0 PORT=8000
RUN useradd --system --create-home --home-dir /var/lib/zupa zupa
COPY --from=build /venv /venv
WORKDIR /app
COPY . .
USER zupa
RUN mkdir /var/lib/zupa/media
# The secrets of this one command are thrown away with it: collecting files needs settings, not data.
RUN SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(64))')" \
    FIELD_ENCRYPTION_KEYS="$(python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())')" \
    ALLOWED_HOSTS=localhost DATABASE_URL=postgresql://nobody@localhost/none \
    python manage.py collectstatic --no-input
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD \
    ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health/live', timeout=4)"]
CMD ["sh", "-c", "exec env ZUPA_PROCESS=web python -m daphne -b $HOST -p $PORT zupa_site.asgi:application"]
