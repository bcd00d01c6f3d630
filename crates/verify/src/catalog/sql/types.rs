//! What values are: types, collations, conversions, text search.
//!
//! Array and multirange types follow from their elements, row types from their tables.

/// Enumerations.
pub(super) const ENUMS: &str = r#"
    SELECT t.oid, format('enum %I.%I', n.nspname, t.typname),
           json_build_object(
               'labels', (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
                           WHERE e.enumtypid = t.oid),
               'owner', pg_get_userbyid(t.typowner), {grants|t.typacl|acldefault('T', t.typowner)|t.typowner},
               'comment', described.description)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace {described|pg_type|t.oid}
     WHERE t.typtype = 'e' AND {user_schema} AND {own|pg_type|t.oid}"#;

/// Domains. From PostgreSQL 17 on NOT NULL also is a constraint with a generated name (see `COLUMNS`).
pub(super) const DOMAINS: &str = r#"
    SELECT t.oid, format('domain %I.%I', n.nspname, t.typname),
           json_build_object('type', format_type(t.typbasetype, t.typtypmod), 'nullable', NOT t.typnotnull,
               'default', pg_get_expr(t.typdefaultbin, 'pg_catalog.pg_type'::regclass),
               'collation', CASE WHEN t.typcollation <> bt.typcollation
                   THEN format('%I.%I', ln.nspname, l.collname) END,
               'checks', (SELECT array_agg(format('%I %s', k.conname, pg_get_constraintdef(k.oid))
                       ORDER BY k.conname COLLATE "C") FROM pg_constraint k
                   WHERE k.contypid = t.oid AND k.contype <> 'n'),
               'owner', pg_get_userbyid(t.typowner), {grants|t.typacl|acldefault('T', t.typowner)|t.typowner},
               'comment', described.description)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      LEFT JOIN pg_type bt ON bt.oid = t.typbasetype
      LEFT JOIN pg_collation l ON l.oid = t.typcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
      {described|pg_type|t.oid}
     WHERE t.typtype = 'd' AND {user_schema} AND {own|pg_type|t.oid}"#;

/// Composite types; the order of their attributes is that of the values.
pub(super) const COMPOSITES: &str = r#"
    SELECT t.oid, format('type %I.%I', n.nspname, t.typname),
           json_build_object(
               'attributes', (SELECT array_agg(concat(quote_ident(a.attname), ' ',
                       format_type(a.atttypid, a.atttypmod), (SELECT format(' collate %I.%I', ln.nspname, l.collname)
                          FROM pg_collation l JOIN pg_namespace ln ON ln.oid = l.collnamespace
                          JOIN pg_type at ON at.oid = a.atttypid
                         WHERE l.oid = a.attcollation AND a.attcollation <> at.typcollation)) ORDER BY a.attnum)
                  FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
               'owner', pg_get_userbyid(t.typowner), {grants|t.typacl|acldefault('T', t.typowner)|t.typowner},
               'comment', described.description)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
      JOIN pg_class c ON c.oid = t.typrelid AND c.relkind = 'c'
      {described|pg_type|t.oid}
     WHERE t.typtype = 'c' AND {user_schema} AND {own|pg_type|t.oid}"#;

/// Range types.
pub(super) const RANGES: &str = r#"
    SELECT t.oid, format('range type %I.%I', n.nspname, t.typname),
           json_build_object('subtype', format_type(r.rngsubtype, NULL),
               'operator class', format('%I.%I', oc_n.nspname, oc.opcname),
               'collation', CASE WHEN r.rngcollation <> st.typcollation
                   THEN format('%I.%I', ln.nspname, l.collname) END,
               'canonical', {routine|r.rngcanonical}, 'subtype difference', {routine|r.rngsubdiff},
               [[14: 'multirange type', format_type(r.rngmultitypid, NULL),]]
               'owner', pg_get_userbyid(t.typowner), {grants|t.typacl|acldefault('T', t.typowner)|t.typowner},
               'comment', described.description)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_range r ON r.rngtypid = t.oid
      JOIN pg_type st ON st.oid = r.rngsubtype
      JOIN pg_opclass oc ON oc.oid = r.rngsubopc JOIN pg_namespace oc_n ON oc_n.oid = oc.opcnamespace
      LEFT JOIN pg_collation l ON l.oid = r.rngcollation LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
      {described|pg_type|t.oid}
     WHERE t.typtype = 'r' AND {user_schema} AND {own|pg_type|t.oid}"#;

/// Base types and shells of them. An array type is one whose element's array type it is.
pub(super) const BASE_TYPES: &str = r#"
    SELECT t.oid, format('type %I.%I', n.nspname, t.typname),
           json_build_object('shell', nullif(NOT t.typisdefined, false),
               'input', {routine|t.typinput}, 'output', {routine|t.typoutput},
               'receive', {routine|t.typreceive}, 'send', {routine|t.typsend},
               'modifier input', {routine|t.typmodin}, 'modifier output', {routine|t.typmodout},
               'analyze', {routine|t.typanalyze}, [[14: 'subscript', {routine|t.typsubscript},]]
               'length', t.typlen, 'by value', t.typbyval, 'alignment', t.typalign,
               'storage', {storage|t.typstorage},
               'category', t.typcategory, 'preferred', nullif(t.typispreferred, false), 'delimiter', t.typdelim,
               'element', CASE WHEN t.typelem <> 0 THEN format_type(t.typelem, NULL) END,
               'collatable', nullif(t.typcollation <> 0, false), 'default', t.typdefault,
               'owner', pg_get_userbyid(t.typowner), {grants|t.typacl|acldefault('T', t.typowner)|t.typowner},
               'comment', described.description)
      FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace {described|pg_type|t.oid}
     WHERE t.typtype IN ('b', 'p') AND NOT EXISTS (SELECT 1 FROM pg_type e WHERE e.typarray = t.oid)
       AND {user_schema} AND {own|pg_type|t.oid}"#;

/// Collations, without the version of the library: whether that still is the same is a check of its own.
pub(super) const COLLATIONS: &str = r#"
    SELECT l.oid, format('collation %I.%I', n.nspname, l.collname),
           json_build_object('provider', {provider|l.collprovider}, 'deterministic', l.collisdeterministic,
               'collate', l.collcollate, 'ctype', l.collctype,
               [[15..16: 'locale', l.colliculocale,]] [[17: 'locale', l.colllocale,]] [[16: 'rules', l.collicurules,]]
               'owner', pg_get_userbyid(l.collowner), 'comment', described.description)
      FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace {described|pg_collation|l.oid}
     WHERE {user_schema} AND {own|pg_collation|l.oid}"#;

/// Conversions between encodings.
pub(super) const CONVERSIONS: &str = r#"
    SELECT v.oid, format('conversion %I.%I', n.nspname, v.conname),
           json_build_object('from', pg_encoding_to_char(v.conforencoding), 'to', pg_encoding_to_char(v.contoencoding),
               'function', {routine|v.conproc}, 'default', nullif(v.condefault, false),
               'owner', pg_get_userbyid(v.conowner), 'comment', described.description)
      FROM pg_conversion v JOIN pg_namespace n ON n.oid = v.connamespace {described|pg_conversion|v.oid}
     WHERE {user_schema} AND {own|pg_conversion|v.oid}"#;

/// Text search configurations.
pub(super) const TEXT_SEARCH_CONFIGURATIONS: &str = r#"
    SELECT t.oid, format('text search configuration %I.%I', n.nspname, t.cfgname),
           json_build_object('parser', format('%I.%I', pn.nspname, p.prsname),
               'mappings', (SELECT array_agg(m.text ORDER BY m.text COLLATE "C") FROM (
                    SELECT format('%s: %s', (SELECT k.alias FROM ts_token_type(t.cfgparser) k
                                              WHERE k.tokid = map.maptokentype),
                           string_agg(format('%I.%I', dn.nspname, d.dictname), ', ' ORDER BY map.mapseqno))
                      FROM pg_ts_config_map map JOIN pg_ts_dict d ON d.oid = map.mapdict
                      JOIN pg_namespace dn ON dn.oid = d.dictnamespace
                     WHERE map.mapcfg = t.oid GROUP BY map.maptokentype) AS m(text)),
               'owner', pg_get_userbyid(t.cfgowner), 'comment', described.description)
      FROM pg_ts_config t JOIN pg_namespace n ON n.oid = t.cfgnamespace
      JOIN pg_ts_parser p ON p.oid = t.cfgparser JOIN pg_namespace pn ON pn.oid = p.prsnamespace
      {described|pg_ts_config|t.oid}
     WHERE {user_schema} AND {own|pg_ts_config|t.oid}"#;

/// Text search dictionaries.
pub(super) const TEXT_SEARCH_DICTIONARIES: &str = r#"
    SELECT d.oid, format('text search dictionary %I.%I', n.nspname, d.dictname),
           json_build_object('template', format('%I.%I', tn.nspname, t.tmplname), 'options', d.dictinitoption,
               'owner', pg_get_userbyid(d.dictowner), 'comment', described.description)
      FROM pg_ts_dict d JOIN pg_namespace n ON n.oid = d.dictnamespace
      JOIN pg_ts_template t ON t.oid = d.dicttemplate JOIN pg_namespace tn ON tn.oid = t.tmplnamespace
      {described|pg_ts_dict|d.oid}
     WHERE {user_schema} AND {own|pg_ts_dict|d.oid}"#;

/// Text search parsers.
pub(super) const TEXT_SEARCH_PARSERS: &str = r#"
    SELECT p.oid, format('text search parser %I.%I', n.nspname, p.prsname),
           json_build_object('start', {routine|p.prsstart}, 'token', {routine|p.prstoken}, 'end', {routine|p.prsend},
               'headline', {routine|p.prsheadline}, 'token types', {routine|p.prslextype},
               'comment', described.description)
      FROM pg_ts_parser p JOIN pg_namespace n ON n.oid = p.prsnamespace {described|pg_ts_parser|p.oid}
     WHERE {user_schema} AND {own|pg_ts_parser|p.oid}"#;

/// Text search templates.
pub(super) const TEXT_SEARCH_TEMPLATES: &str = r#"
    SELECT t.oid, format('text search template %I.%I', n.nspname, t.tmplname),
           json_build_object('init', {routine|t.tmplinit}, 'lexize', {routine|t.tmpllexize},
               'comment', described.description)
      FROM pg_ts_template t JOIN pg_namespace n ON n.oid = t.tmplnamespace {described|pg_ts_template|t.oid}
     WHERE {user_schema} AND {own|pg_ts_template|t.oid}"#;
