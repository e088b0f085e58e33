-- Signing in: sessions, passwords, identities of an OpenID provider, invitations. Tokens are stored hashed only; rows
-- that have ended are deleted, the audit record says what became of them.

CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  user_id TEXT NOT NULL,
  method TEXT NOT NULL,
  address TEXT,
  user_agent TEXT,
  created_at INTEGER NOT NULL,
  last_seen_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE passwords (
  user_id TEXT PRIMARY KEY,
  hash TEXT NOT NULL,
  changed_at INTEGER NOT NULL
) WITHOUT ROWID;

-- Who somebody is at the OpenID provider: its issuer and the subject there.
CREATE TABLE identities (
  issuer TEXT NOT NULL,
  subject TEXT NOT NULL,
  user_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (issuer, subject)
) WITHOUT ROWID;
CREATE INDEX identities_by_user ON identities (user_id);

-- One for each address and team: inviting again replaces the invitation before.
CREATE TABLE invitations (
  id TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  team_id TEXT NOT NULL,
  email TEXT NOT NULL,
  role TEXT NOT NULL,
  invited_by TEXT NOT NULL,
  inviter TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  UNIQUE (team_id, email)
) WITHOUT ROWID;
CREATE INDEX invitations_by_team ON invitations (team_id, created_at);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- Tries at signing in, by account and by address: each try moves the time until which they count.
CREATE TABLE sign_in_tries (
  subject TEXT PRIMARY KEY,
  count_until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX sign_in_tries_by_time ON sign_in_tries (count_until);

CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);
