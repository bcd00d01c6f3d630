-- What `pgbench -i` makes, and a history as after some runs of it; nothing is random, so every machine has the same.
CREATE TABLE pgbench_branches (bid int NOT NULL, bbalance int, filler char(88));
CREATE TABLE pgbench_tellers (tid int NOT NULL, bid int, tbalance int, filler char(84));
CREATE TABLE pgbench_accounts (aid int NOT NULL, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22));
CREATE TABLE wide (
    id bigint NOT NULL,
    title text NOT NULL,
    note text,
    document jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    amount numeric(14, 2) NOT NULL,
    reference uuid NOT NULL,
    payload bytea
);
