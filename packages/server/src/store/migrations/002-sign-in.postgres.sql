-- Signing in, the twin of 002-sign-in.sqlite.sql: sessions, passwords, identities of an OpenID provider, invitations.
-- Tokens are stored hashed only; rows that have ended are deleted, the audit record says what became of them.

CREATE TABLE sessions (
  id text COLLATE "C" PRIMARY KEY,
  hash text COLLATE "C" NOT NULL UNIQUE,
  user_id text COLLATE "C" NOT NULL,
  method text COLLATE "C" NOT NULL,
  address text COLLATE "C",
  user_agent text COLLATE "C",
  created_at bigint NOT NULL,
  last_seen_at bigint NOT NULL,
  expires_at bigint NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, created_at);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE passwords (
  user_id text COLLATE "C" PRIMARY KEY,
  hash text COLLATE "C" NOT NULL,
  changed_at bigint NOT NULL
);

-- Who somebody is at the OpenID provider: its issuer and the subject there.
CREATE TABLE identities (
  issuer text COLLATE "C" NOT NULL,
  subject text COLLATE "C" NOT NULL,
  user_id text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  PRIMARY KEY (issuer, subject)
);
CREATE INDEX identities_by_user ON identities (user_id);

-- One for each address and team: inviting again replaces the invitation before.
CREATE TABLE invitations (
  id text COLLATE "C" PRIMARY KEY,
  hash text COLLATE "C" NOT NULL UNIQUE,
  team_id text COLLATE "C" NOT NULL,
  email text COLLATE "C" NOT NULL,
  role text COLLATE "C" NOT NULL,
  invited_by text COLLATE "C" NOT NULL,
  inviter text COLLATE "C" NOT NULL,
  created_at bigint NOT NULL,
  expires_at bigint NOT NULL,
  UNIQUE (team_id, email)
);
CREATE INDEX invitations_by_team ON invitations (team_id, created_at);
CREATE INDEX invitations_by_inviter ON invitations (invited_by);
CREATE INDEX invitations_by_expiry ON invitations (expires_at);

-- Tries at signing in, by account and by address: each try moves the time until which they count.
CREATE TABLE sign_in_tries (
  subject text COLLATE "C" PRIMARY KEY,
  count_until bigint NOT NULL
);
CREATE INDEX sign_in_tries_by_time ON sign_in_tries (count_until);

CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);
