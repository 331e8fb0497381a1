/**
 * The tables, as steps forward from an empty file. A file's `user_version` says how many steps it has taken; a step that
 * was published is never edited, a change is a new step at the end.
 *
 * `journal` is the truth. A row of `calls` is its fold up to `last_seq`, kept so that lists need no replay; whatever the
 * journal holds beyond is folded on top when it is read. A change of what old events mean needs a step
 * `UPDATE calls SET last_seq = -1`: such rows are folded anew, those with work left and the newest when the store opens
 * and the rest in the background. Until then lists filter and sort them by what the row says.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE journal (
    call_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    at_ms REAL NOT NULL,
    type TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (call_id, seq)
  ) WITHOUT ROWID;

  CREATE TABLE calls (
    id TEXT PRIMARY KEY NOT NULL,
    account_id TEXT NOT NULL,
    caller TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at_ms REAL NOT NULL,
    unfinished INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    snapshot TEXT NOT NULL
  );
  CREATE INDEX calls_newest ON calls (created_at_ms, id);
  CREATE INDEX calls_by_account ON calls (account_id, created_at_ms, id);
  CREATE INDEX calls_by_caller ON calls (caller, created_at_ms, id);
  CREATE INDEX calls_open ON calls (created_at_ms, id) WHERE state <> 'ended';
  CREATE INDEX calls_unfinished ON calls (created_at_ms, id) WHERE unfinished = 1;
  CREATE INDEX calls_to_refold ON calls (id) WHERE last_seq < 0;

  CREATE TABLE claims (
    key TEXT PRIMARY KEY NOT NULL,
    answer TEXT,
    expires_at_ms REAL NOT NULL
  );
  CREATE INDEX claims_by_expiry ON claims (expires_at_ms);
  `,
  // What follows a call has more steps now: calls of before are folded anew.
  `
  CREATE TABLE documents (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (kind, key)
  ) WITHOUT ROWID;
  UPDATE calls SET last_seq = -1;
  `,
  // Calls know their recordings and how often they were taken up.
  `
  UPDATE calls SET last_seq = -1;
  `,
  // Words of turns, version of events, what was taken away, and what cannot be read. Searching begins at once; the calls
  // of before are read in the background.
  `
  ALTER TABLE journal ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
  ALTER TABLE calls ADD COLUMN removed INTEGER NOT NULL DEFAULT 0;
  CREATE TABLE turns (
    id INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    start_ms REAL NOT NULL,
    UNIQUE (call_id, entry_id)
  );
  CREATE VIRTUAL TABLE turn_words USING fts5 (words, tokenize = 'ascii', columnsize = 0);
  INSERT INTO turn_words (turn_words, rank) VALUES ('secure-delete', 1);
  CREATE TABLE unsearched (call_id TEXT PRIMARY KEY NOT NULL) WITHOUT ROWID;
  INSERT INTO unsearched SELECT id FROM calls;
  CREATE TABLE damaged (
    id INTEGER PRIMARY KEY,
    call_id TEXT NOT NULL,
    seq INTEGER,
    reason TEXT NOT NULL,
    body BLOB
  );
  CREATE INDEX damaged_by_call ON damaged (call_id);
  UPDATE calls SET last_seq = -1;
  `,
];
