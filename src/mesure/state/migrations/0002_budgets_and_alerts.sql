-- Budgets that are not in mesure.toml, as JSON.
CREATE TABLE budget (
  name TEXT NOT NULL PRIMARY KEY,
  definition TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL
);

-- The versions each period of a budget began with, and what was booked under them up to a moment.
CREATE TABLE budget_pin (
  budget TEXT NOT NULL,
  period_ms BIGINT NOT NULL,
  method TEXT NOT NULL,
  catalogue TEXT NOT NULL,
  booked DOUBLE PRECISION NOT NULL,
  booked_calls BIGINT NOT NULL,
  booked_unknown BIGINT NOT NULL,
  booked_until_ms BIGINT NOT NULL,
  PRIMARY KEY (budget, period_ms)
);

-- What each machine spent of a hard budget: carried over from leases that ended, and what its ledger says.
CREATE TABLE budget_spent (
  budget TEXT NOT NULL,
  period_ms BIGINT NOT NULL,
  machine TEXT NOT NULL,
  carried DOUBLE PRECISION NOT NULL,
  ledger DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (budget, period_ms, machine)
);

-- What a worker may spend of a hard budget without asking: granted and spent, both since the lease began.
CREATE TABLE budget_lease (
  holder TEXT NOT NULL,
  budget TEXT NOT NULL,
  period_ms BIGINT NOT NULL,
  machine TEXT NOT NULL,
  granted DOUBLE PRECISION NOT NULL,
  spent DOUBLE PRECISION NOT NULL,
  expires_at_ms BIGINT NOT NULL,
  PRIMARY KEY (holder, budget, period_ms)
);

-- One row for each thing that was told, whatever became of it.
CREATE TABLE alert (
  id TEXT NOT NULL PRIMARY KEY,
  dedup_key TEXT NOT NULL UNIQUE,
  code TEXT NOT NULL,
  severity TEXT NOT NULL,
  body TEXT NOT NULL,
  opened_at_ms BIGINT NOT NULL,
  seen_at_ms BIGINT NOT NULL,
  resolved_at_ms BIGINT,
  snoozed_until_ms BIGINT
);

-- Messages to receivers, each sent once: claimed by one sender at a time, tried again later, given up in the end.
CREATE TABLE outbox (
  id TEXT NOT NULL PRIMARY KEY,
  alert_id TEXT NOT NULL,
  receiver TEXT NOT NULL,
  kind TEXT NOT NULL,
  body TEXT NOT NULL,
  created_at_ms BIGINT NOT NULL,
  next_at_ms BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  claimed_until_ms BIGINT,
  sent_at_ms BIGINT,
  dead_at_ms BIGINT,
  last_error TEXT,
  UNIQUE (alert_id, receiver, kind)
);

CREATE TABLE outbox_attempt (
  id TEXT NOT NULL PRIMARY KEY,
  message_id TEXT NOT NULL,
  at_ms BIGINT NOT NULL,
  outcome TEXT NOT NULL
);
