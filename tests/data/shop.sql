create table public.customers (id bigint generated always as identity primary key, name text not null, profile jsonb);
create table public.orders (
    id bigserial primary key,
    customer_id bigint not null references public.customers (id),
    placed_at timestamptz not null default now(),
    total numeric(12, 2) not null
);
create table public.order_lines (
    order_id bigint not null references public.orders (id),
    line integer not null,
    "what; drop table" text not null,
    picture bytea,
    primary key (order_id, line)
);
create table public."we""ird; drop" (id integer primary key);
insert into public.customers (name, profile) select 'customer ' || n, jsonb_build_object('n', n) from generate_series(1, 500) n;
insert into public.orders (customer_id, total) select 1 + n % 500, n * 1.25 from generate_series(1, 3000) n;
insert into public.order_lines
select o.id, l, 'thing ' || l, decode(md5(o.id::text), 'hex') from public.orders o cross join generate_series(1, 3) l;
insert into public."we""ird; drop" select generate_series(1, 10);
