-- One row is one record of the store. Times compare with now(). An id is never a usable secret;
-- data is opaque, and sealed where it must be.

-- Logins under way, from the redirect to the identity provider until its callback.
CREATE TABLE sessions (
  id         TEXT NOT NULL PRIMARY KEY,
  state      TEXT GENERATED ALWAYS AS (id) STORED,
  provider   TEXT,
  user_id    TEXT,
  grant_id   TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL,
  data       BYTEA NOT NULL DEFAULT '',
  version    BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX sessions_expires ON sessions (expires_at);
CREATE INDEX sessions_grant ON sessions (grant_id) WHERE grant_id IS NOT NULL;

-- Refresh tokens that we issued; refresh_token is the SHA-256 of the token, of use to nobody.
CREATE TABLE tokens (
  refresh_token TEXT NOT NULL PRIMARY KEY,
  token_type    TEXT NOT NULL DEFAULT 'refresh_token',
  provider      TEXT,
  user_id       TEXT,
  grant_id      TEXT,
  created_at    TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at    TIMESTAMPTZ NOT NULL,
  data          BYTEA NOT NULL DEFAULT '',
  version       BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX tokens_expires ON tokens (expires_at);
CREATE INDEX tokens_grant ON tokens (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX tokens_user ON tokens (user_id) WHERE user_id IS NOT NULL;

-- People who may sign in with a password kept here.
CREATE TABLE users (
  id         TEXT NOT NULL PRIMARY KEY,
  provider   TEXT,
  user_id    TEXT,
  grant_id   TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL,
  data       BYTEA NOT NULL DEFAULT '',
  version    BIGINT NOT NULL DEFAULT 1
);
CREATE INDEX users_expires ON users (expires_at);
CREATE INDEX users_grant ON users (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX users_user ON users (user_id) WHERE user_id IS NOT NULL;

-- Everything else: codes, grants, clients, consents, signing keys, revocations.
CREATE TABLE records (
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  provider   TEXT,
  user_id    TEXT,
  grant_id   TEXT,
  created_at TIMESTAMPTZ NOT NULL DEFAULT now(),
  expires_at TIMESTAMPTZ NOT NULL,
  data       BYTEA NOT NULL DEFAULT '',
  version    BIGINT NOT NULL DEFAULT 1,
  PRIMARY KEY (kind, id)
);
CREATE INDEX records_expires ON records (kind, expires_at);
CREATE INDEX records_grant ON records (grant_id) WHERE grant_id IS NOT NULL;
CREATE INDEX records_user ON records (kind, user_id) WHERE user_id IS NOT NULL;
