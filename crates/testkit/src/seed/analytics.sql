-- The second user database: validation covers every one of the instance.

create table events (
    id      bigint generated always as identity,
    country text not null,
    kind    text not null,
    payload jsonb,
    seen_at timestamptz not null
) partition by list (country);
create table events_eu partition of events for values in ('de', 'fr', 'nl');
create table events_us partition of events for values in ('us');
create table events_other partition of events default;
create index on events (seen_at);
insert into events (country, kind, payload, seen_at)
select (array['de', 'fr', 'nl', 'us', 'jp', 'br'])[1 + i % 6],
       (array['view', 'click', 'buy'])[1 + i % 3],
       case when i % 5 = 0 then null else jsonb_build_object('n', i, 'score', i / 7.0) end,
       timestamptz '2025-09-01 00:00:00+00' + i * interval '11 seconds'
from generate_series(1, 60000) i;

create table daily_totals (
    day   date not null,
    kind  text not null,
    total bigint not null,
    primary key (day, kind)
);
insert into daily_totals
select seen_at::date, kind, count(*) from events group by 1, 2;
