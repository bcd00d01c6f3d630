-- One of every kind of object that a catalog can have on every major, and something to change about each.
CREATE SCHEMA app;
CREATE EXTENSION hstore SCHEMA app VERSION '1.4';
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION pg_trgm SCHEMA app;
CREATE TYPE app.mood AS ENUM ('sad', 'ok');
CREATE TYPE app.address AS (street text COLLATE "C", zip int);
CREATE DOMAIN app.email AS text DEFAULT 'nobody@example.com' CONSTRAINT sane CHECK (VALUE LIKE '%@%');
CREATE TYPE app.span AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE TYPE app.weight;
CREATE FUNCTION app.weight_in(cstring) RETURNS app.weight LANGUAGE internal IMMUTABLE STRICT AS 'int4in';
CREATE FUNCTION app.weight_out(app.weight) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'int4out';
CREATE TYPE app.weight (INPUT = app.weight_in, OUTPUT = app.weight_out, LIKE = int4);
CREATE COLLATION app.plain FROM "C";
CREATE CONVERSION app.latin FOR 'LATIN1' TO 'UTF8' FROM pg_catalog.iso8859_1_to_utf8;

CREATE TABLE app.customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    mood app.mood DEFAULT 'ok',
    mail app.email,
    home app.address,
    shout text GENERATED ALWAYS AS (upper(name)) STORED,
    note text,
    CONSTRAINT named CHECK (name <> '')
);
CREATE TABLE app.orders (
    id serial,
    placed date NOT NULL,
    customer bigint CONSTRAINT ordered_by REFERENCES app.customers,
    total numeric(10, 2) DEFAULT 0,
    PRIMARY KEY (id, placed)
) PARTITION BY RANGE (placed);
CREATE TABLE app.orders_2025 PARTITION OF app.orders FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE app.orders_2026 PARTITION OF app.orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE app.lines (
    "order" int,
    placed date,
    CONSTRAINT "lines of; orders" FOREIGN KEY ("order", placed) REFERENCES app.orders
);
CREATE INDEX orders_by_total ON app.orders (total);
CREATE INDEX customers_by_name ON app.customers (lower(name)) WHERE note IS NULL;
CREATE TABLE app."we""ird on app.orders" ("a.b" int, "c d" text);
CREATE TABLE app.parent (a int);
CREATE TABLE app.child (b int) INHERITS (app.parent);
CREATE TABLE app.shelf (id int CONSTRAINT shelf_id UNIQUE, label text);
CREATE SEQUENCE app.countdown INCREMENT -1 CACHE 5;
CREATE STATISTICS app.together ON id, name FROM app.customers;

CREATE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.note := 'touched';
    RETURN NEW;
END $$;
CREATE FUNCTION app.adds(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE FUNCTION app.mood_of(app.customers) RETURNS app.mood LANGUAGE sql STABLE AS 'SELECT ($1).mood';
CREATE PROCEDURE app.tidy() LANGUAGE sql AS 'DELETE FROM app.child';
CREATE AGGREGATE app.product(float8) (SFUNC = float8mul, STYPE = float8, INITCOND = '1');
CREATE FUNCTION app.watch() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE TRIGGER touched BEFORE UPDATE ON app.customers FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE TRIGGER seen AFTER INSERT ON app.orders FOR EACH ROW EXECUTE FUNCTION app.touch();
CREATE RULE kept AS ON DELETE TO app.parent DO INSTEAD NOTHING;
CREATE POLICY own ON app.customers FOR SELECT TO reporting USING (name = current_user);
CREATE EVENT TRIGGER watcher ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION app.watch();
CREATE FUNCTION app.same(app.weight, app.weight) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4eq';
CREATE FUNCTION app.less(app.weight, app.weight) RETURNS bool LANGUAGE internal IMMUTABLE STRICT AS 'int4lt';
CREATE FUNCTION app.compare(app.weight, app.weight) RETURNS int LANGUAGE internal IMMUTABLE STRICT AS 'btint4cmp';
CREATE OPERATOR app.=== (FUNCTION = app.same, LEFTARG = app.weight, RIGHTARG = app.weight, COMMUTATOR = OPERATOR(app.===));
CREATE OPERATOR app.<<< (FUNCTION = app.less, LEFTARG = app.weight, RIGHTARG = app.weight);
CREATE OPERATOR FAMILY app.weights USING btree;
CREATE OPERATOR CLASS app.by_weight FOR TYPE app.weight USING btree FAMILY app.weights AS
    OPERATOR 1 app.<<<, OPERATOR 3 app.===, FUNCTION 1 app.compare(app.weight, app.weight);
CREATE CAST (app.weight AS int4) WITHOUT FUNCTION AS ASSIGNMENT;
CREATE FUNCTION app.handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE LANGUAGE mine HANDLER app.handler;
CREATE TRANSFORM FOR app.weight LANGUAGE plpgsql (FROM SQL WITH FUNCTION pg_catalog.prsd_lextype(internal));
CREATE ACCESS METHOD pile TYPE INDEX HANDLER bthandler;

CREATE TEXT SEARCH DICTIONARY app.simple (TEMPLATE = pg_catalog.simple, STOPWORDS = 'english');
CREATE TEXT SEARCH CONFIGURATION app.words (PARSER = pg_catalog."default");
ALTER TEXT SEARCH CONFIGURATION app.words ADD MAPPING FOR asciiword WITH app.simple, pg_catalog.english_stem;
CREATE TEXT SEARCH TEMPLATE app.plain (LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH PARSER app.plain (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype);

CREATE VIEW app.happy AS SELECT c.id, c.name FROM app.customers c CROSS JOIN app.parent WHERE c.mood = 'ok';
CREATE MATERIALIZED VIEW app.totals AS SELECT customer, count(*) AS orders FROM app.orders GROUP BY customer;
CREATE FOREIGN DATA WRAPPER nothing OPTIONS (debug 'true');
CREATE SERVER elsewhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'nowhere.invalid');
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing OPTIONS (api_token 'hunter2', address 'postgres://me:hunter2@there');
CREATE USER MAPPING FOR reporting SERVER elsewhere OPTIONS (user 'me', password 'hunter2');
CREATE FOREIGN TABLE app.remote (n int OPTIONS (column_name 'm')) SERVER elsewhere OPTIONS (table_name 'remote');
CREATE PUBLICATION feed FOR TABLE app.customers;
CREATE SUBSCRIPTION taken CONNECTION 'host=nowhere.invalid password=hunter2' PUBLICATION feed WITH (connect = false);

GRANT USAGE ON SCHEMA app TO reporting;
GRANT SELECT ON app.customers TO reporting;
GRANT SELECT (total), UPDATE (total) ON app.orders TO reporting;
GRANT EXECUTE ON FUNCTION app.adds TO reporting WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reporting;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
COMMENT ON TABLE app.customers IS 'who buys';
COMMENT ON COLUMN app.customers.name IS 'as on the card';
