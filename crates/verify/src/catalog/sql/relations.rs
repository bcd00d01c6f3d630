//! Schemas, and what holds or guards rows: tables, views, columns, constraints, indexes, sequences, triggers, policies.

/// Schemas.
pub(super) const SCHEMAS: &str = r#"
    SELECT n.oid, format('schema %I', n.nspname),
           json_build_object('owner', pg_get_userbyid(n.nspowner),
               {grants|n.nspacl|acldefault('n', n.nspowner)|n.nspowner},
               'comment', described.description)
      FROM pg_namespace n {described|pg_namespace|n.oid}
     WHERE {user_schema}"#;

/// Tables, partitioned and foreign ones among them.
///
/// Members of extensions are there too, because they hold data. What `CLUSTER` remembers (`indisclustered`) is not: it
/// is about storage. The order of columns is not either: it is that of storage.
pub(super) const TABLES: &str = r#"
    SELECT c.oid, format('%s %I.%I', CASE c.relkind WHEN 'f' THEN 'foreign table' ELSE 'table' END,
               n.nspname, c.relname),
           json_build_object('owner', pg_get_userbyid(c.relowner),
               {grants|c.relacl|acldefault('r', c.relowner)|c.relowner},
               'unlogged', nullif(c.relpersistence = 'u', false),
               'access method', nullif(am.amname, 'heap'),
               'tablespace', ts.spcname,
               'options', {options|c.reloptions},
               'toast options', {options|tc.reloptions},
               'row level security', nullif(c.relrowsecurity, false),
               'row level security forced', nullif(c.relforcerowsecurity, false),
               'replica identity', CASE WHEN c.relkind = 'f' THEN NULL WHEN c.relreplident = 'f' THEN 'full'
                   WHEN c.relreplident = 'n' THEN 'nothing' WHEN c.relreplident = 'i' THEN
                   (SELECT format('index %I', ic.relname) FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                     WHERE i.indrelid = c.oid AND i.indisreplident) END,
               'partition key', CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END,
               'partition of', CASE WHEN c.relispartition THEN
                   (SELECT format('%I.%I', pn.nspname, p.relname) FROM pg_inherits i
                      JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
                     WHERE i.inhrelid = c.oid) END,
               'inherits', CASE WHEN NOT c.relispartition THEN
                   (SELECT array_agg(format('%I.%I', pn.nspname, p.relname) ORDER BY i.inhseqno) FROM pg_inherits i
                      JOIN pg_class p ON p.oid = i.inhparent JOIN pg_namespace pn ON pn.oid = p.relnamespace
                     WHERE i.inhrelid = c.oid) END,
               'partition bound', CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END,
               'of type', CASE WHEN c.reloftype <> 0 THEN format_type(c.reloftype, NULL) END,
               'server', quote_ident(s.srvname), 'foreign options', {guarded_options|f.ftoptions},
               'comment', described.description)
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_am am ON am.oid = c.relam
      LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
      LEFT JOIN pg_class tc ON tc.oid = c.reltoastrelid
      LEFT JOIN pg_foreign_table f ON f.ftrelid = c.oid
      LEFT JOIN pg_foreign_server s ON s.oid = f.ftserver
      {described|pg_class|c.oid}
     WHERE c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't' AND {user_schema}"#;

/// Views and materialised views; their columns are properties, because the definition says what they are.
pub(super) const VIEWS: &str = r#"
    SELECT c.oid, format('%s %I.%I', CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END,
               n.nspname, c.relname),
           json_build_object('owner', pg_get_userbyid(c.relowner),
               {grants|c.relacl|acldefault('r', c.relowner)|c.relowner},
               'definition', pg_get_viewdef(c.oid),
               'columns', (SELECT array_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod))
                       ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
               'column grants', (SELECT array_agg(format('%s on %I', g.entry, a.attname)
                       ORDER BY a.attnum, g.entry COLLATE "C")
                  FROM pg_attribute a, LATERAL (SELECT {entry|x|c.relowner} FROM aclexplode(a.attacl) x) AS g(entry)
                 WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attacl IS NOT NULL),
               'column defaults', (SELECT array_agg(format('%I %s', a.attname, pg_get_expr(d.adbin, d.adrelid))
                       ORDER BY a.attnum) FROM pg_attrdef d
                  JOIN pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum WHERE d.adrelid = c.oid),
               'options', {options|c.reloptions},
               'unlogged', nullif(c.relpersistence = 'u', false),
               'access method', nullif(am.amname, 'heap'),
               'tablespace', ts.spcname,
               'comment', described.description,
               'column comments', (SELECT array_agg(format('%I: %s', a.attname, cd.description) ORDER BY a.attnum)
                  FROM pg_attribute a JOIN pg_description cd ON cd.objoid = a.attrelid AND cd.objsubid = a.attnum
                   AND cd.classoid = 'pg_catalog.pg_class'::regclass WHERE a.attrelid = c.oid AND a.attnum > 0))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_am am ON am.oid = c.relam
      LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
      {described|pg_class|c.oid}
     WHERE c.relkind IN ('v', 'm') AND c.relpersistence <> 't' AND {user_schema} AND {own|pg_class|c.oid}"#;

/// Columns of tables. What is as the type has it (collation, storage) is not said.
///
/// A NOT NULL is a property of the column. From PostgreSQL 18 on it also is a constraint, whose name is generated where
/// a dump of an older server is restored: the name is left out, and only what is unusual about it is kept.
pub(super) const COLUMNS: &str = r#"
    SELECT c.oid, format('column %I.%I.%I', n.nspname, c.relname, a.attname),
           json_build_object('type', format_type(a.atttypid, a.atttypmod), 'nullable', NOT a.attnotnull,
               'default', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
               'generated', CASE a.attgenerated WHEN 's' THEN 'stored: ' WHEN 'v' THEN 'virtual: ' END
                   || pg_get_expr(d.adbin, d.adrelid),
               'identity', CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' END,
               'collation', CASE WHEN a.attcollation <> t.typcollation THEN format('%I.%I', ln.nspname, l.collname) END,
               'storage', CASE WHEN a.attstorage <> t.typstorage THEN {storage|a.attstorage} END,
               [[14: 'compression', CASE a.attcompression WHEN 'p' THEN 'pglz' WHEN 'l' THEN 'lz4' END,]]
               [[18: 'not null constraint', nullif(concat_ws(', ', CASE WHEN NOT k.convalidated THEN 'not valid' END,
                   CASE WHEN k.connoinherit THEN 'no inherit' END), ''),]]
               'statistics target', nullif(a.attstattarget, -1),
               'options', {options|a.attoptions}, 'foreign options', {guarded_options|a.attfdwoptions},
               {grants|a.attacl|acldefault('c', c.relowner)|c.relowner},
               'comment', described.description)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_type t ON t.oid = a.atttypid
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_collation l ON l.oid = a.attcollation
      LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
      LEFT JOIN pg_description described ON described.objoid = a.attrelid AND described.objsubid = a.attnum
            AND described.classoid = 'pg_catalog.pg_class'::regclass
      [[18: LEFT JOIN pg_constraint k ON k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey = ARRAY[a.attnum] ]]
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f') AND c.relpersistence <> 't'
       AND {user_schema}"#;

/// Constraints of tables, except
/// - NOT NULL, which is a property of the column (see [`COLUMNS`]);
/// - constraint triggers, which are triggers;
/// - foreign keys that a partition has from its table, or that stand for a partition of the table referred to: they
///   follow from the one they were made for, and their names from the order in which partitions came.
///
/// A foreign key whose own triggers are switched off promises nothing (`ALTER TABLE ... DISABLE TRIGGER ALL`), though
/// the constraint says nothing of it.
pub(super) const CONSTRAINTS: &str = r#"
    SELECT k.oid, format('constraint %I on %I.%I', k.conname, n.nspname, c.relname),
           json_build_object('definition', pg_get_constraintdef(k.oid), 'triggers switched off', disabled.yes,
               'comes from', CASE WHEN k.conparentid <> 0
                   THEN format('constraint %I on %I.%I', pk.conname, pn.nspname, pc.relname) END,
               'comment', described.description)
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_constraint pk ON pk.oid = k.conparentid
      LEFT JOIN pg_class pc ON pc.oid = pk.conrelid LEFT JOIN pg_namespace pn ON pn.oid = pc.relnamespace
      LEFT JOIN (SELECT DISTINCT t.tgconstraint, true FROM pg_trigger t WHERE t.tgisinternal AND t.tgenabled = 'D')
             AS disabled(constraint_oid, yes) ON disabled.constraint_oid = k.oid AND k.contype = 'f'
      {described|pg_constraint|k.oid}
     WHERE k.contype NOT IN ('t', 'n') AND NOT (k.contype = 'f' AND k.conparentid <> 0)
       AND c.relpersistence <> 't' AND {user_schema}"#;

/// Indexes.
pub(super) const INDEXES: &str = r#"
    SELECT i.indexrelid, format('index %I.%I', n.nspname, c.relname),
           json_build_object('definition', pg_get_indexdef(i.indexrelid),
               'table', format('%I.%I', tn.nspname, tc.relname),
               'comes from', CASE WHEN pc.relname IS NOT NULL THEN format('index %I.%I', pn.nspname, pc.relname) END,
               'invalid', nullif(NOT i.indisvalid OR NOT i.indisready, false),
               'tablespace', ts.spcname, 'comment', described.description)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_class tc ON tc.oid = i.indrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
      LEFT JOIN pg_tablespace ts ON ts.oid = c.reltablespace
      LEFT JOIN pg_inherits h ON h.inhrelid = i.indexrelid
      LEFT JOIN pg_class pc ON pc.oid = h.inhparent LEFT JOIN pg_namespace pn ON pn.oid = pc.relnamespace
      {described|pg_class|i.indexrelid}
     WHERE c.relpersistence <> 't' AND {user_schema}"#;

/// Sequences, without where they stand.
pub(super) const SEQUENCES: &str = r#"
    SELECT c.oid, format('sequence %I.%I', n.nspname, c.relname),
           json_build_object('type', format_type(s.seqtypid, NULL), 'start', s.seqstart, 'increment', s.seqincrement,
               'minimum', s.seqmin, 'maximum', s.seqmax, 'cache', s.seqcache, 'cycle', nullif(s.seqcycle, false),
               'unlogged', nullif(c.relpersistence = 'u', false), 'owner', pg_get_userbyid(c.relowner),
               {grants|c.relacl|acldefault('s', c.relowner)|c.relowner},
               CASE o.deptype WHEN 'i' THEN 'identity of' ELSE 'owned by' END,
               CASE WHEN a.attname IS NOT NULL THEN format('%I.%I.%I', tn.nspname, t.relname, a.attname) END,
               'comment', described.description)
      FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_depend o ON o.classid = 'pg_catalog.pg_class'::regclass AND o.objid = c.oid AND o.objsubid = 0
            AND o.refclassid = 'pg_catalog.pg_class'::regclass AND o.refobjsubid > 0 AND o.deptype IN ('a', 'i')
      LEFT JOIN pg_class t ON t.oid = o.refobjid
      LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
      LEFT JOIN pg_attribute a ON a.attrelid = o.refobjid AND a.attnum = o.refobjsubid
      {described|pg_class|c.oid}
     WHERE c.relpersistence <> 't' AND {user_schema} AND {own|pg_class|c.oid}"#;

/// Triggers. Those that a partition has from its table follow from the table's, unless they are switched on or off
/// differently; PostgreSQL 13 and 14 mark them as internal, 12 knows nothing else of them.
pub(super) const TRIGGERS: &str = r#"
    SELECT t.oid, format('trigger %I on %I.%I', t.tgname, n.nspname, c.relname),
           json_build_object('definition', pg_get_triggerdef(t.oid), 'fires', {fires|t.tgenabled},
               'comment', described.description)
      FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      [[13: LEFT JOIN pg_trigger pt ON pt.oid = t.tgparentid]]
      {described|pg_trigger|t.oid}
     WHERE [[..12: NOT t.tgisinternal]] [[13: CASE WHEN t.tgparentid = 0 THEN NOT t.tgisinternal
               ELSE t.tgconstraint = 0 AND t.tgenabled <> pt.tgenabled END]]
       AND c.relpersistence <> 't' AND {user_schema}"#;

/// Policies of row level security.
pub(super) const POLICIES: &str = r#"
    SELECT p.oid, format('policy %I on %I.%I', p.polname, n.nspname, c.relname),
           json_build_object('command', CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'
                   WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
               'permissive', p.polpermissive,
               'roles', (SELECT array_agg(r.name ORDER BY r.name COLLATE "C") FROM (SELECT CASE u.oid WHEN 0
                    THEN 'public' ELSE quote_ident(pg_get_userbyid(u.oid)) END FROM unnest(p.polroles) u(oid)) r(name)),
               'using', pg_get_expr(p.polqual, p.polrelid),
               'with check', pg_get_expr(p.polwithcheck, p.polrelid), 'comment', described.description)
      FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      {described|pg_policy|p.oid}
     WHERE {user_schema}"#;

/// Rewrite rules; that of a view is its definition.
pub(super) const RULES: &str = r#"
    SELECT r.oid, format('rule %I on %I.%I', r.rulename, n.nspname, c.relname),
           json_build_object('definition', pg_get_ruledef(r.oid), 'fires', {fires|r.ev_enabled},
               'comment', described.description)
      FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
      {described|pg_rewrite|r.oid}
     WHERE r.rulename <> '_RETURN' AND {user_schema} AND {own|pg_class|c.oid}"#;

/// Extended statistics.
pub(super) const STATISTICS: &str = r#"
    SELECT s.oid, format('statistics %I.%I', n.nspname, s.stxname),
           json_build_object('definition', pg_get_statisticsobjdef(s.oid),
               'table', format('%I.%I', tn.nspname, c.relname),
               [[13: 'statistics target', nullif(s.stxstattarget, -1),]]
               'owner', pg_get_userbyid(s.stxowner), 'comment', described.description)
      FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace
      JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace tn ON tn.oid = c.relnamespace
      {described|pg_statistic_ext|s.oid}
     WHERE {user_schema}"#;
