-- A web analytics database of about 300,000 rows, the same ones for the same moment:
--
--     psql -v now="$(date -u +%FT%TZ)" -f dataset.sql
--
-- Every moment counts back from `now`. Rows are spread by arithmetic, never by random(), so two loads are equal.
-- 40 % of page_views are older than 25 months. Keys and indexes follow the rows, which makes the load 3 x faster.

BEGIN;
SET LOCAL TIME ZONE 'UTC';
SELECT set_config('demo.now', :'now', false);

CREATE FUNCTION pg_temp.now_is() RETURNS timestamptz LANGUAGE sql STABLE
  AS $$ SELECT current_setting('demo.now')::timestamptz $$;

-- The moment of row i of n: the first 40 % between 36 and 25 months ago, the rest since then, up to an hour ago.
CREATE FUNCTION pg_temp.moment(i bigint, n bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN i <= 0.4 * n
    THEN p.now_at - interval '36 months' + (i - 1) / (0.4 * n) * ((p.now_at - interval '25 months') - (p.now_at - interval '36 months'))
    ELSE p.now_at - interval '25 months' + (i - 0.4 * n) / (0.6 * n) * ((p.now_at - interval '1 hour') - (p.now_at - interval '25 months'))
  END FROM (SELECT pg_temp.now_is() AS now_at) AS p
$$;

-- ---------------------------------------------------------------- whose data it is
CREATE TABLE clients (
  id text PRIMARY KEY,
  company text NOT NULL,
  contact_email text NOT NULL,
  created_at timestamptz NOT NULL,
  contract_ended_at timestamptz
);
INSERT INTO clients
SELECT 'client-' || letter, 'Customer ' || upper(letter), 'privacy@client-' || letter || '.example',
  pg_temp.now_is() - interval '6 years',
  CASE WHEN letter = 'e' THEN pg_temp.now_is() - interval '4 months' END
FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e']) AS letter;

CREATE TABLE visitors (
  id bigint NOT NULL,
  client_id text NOT NULL,
  email text,
  country text NOT NULL,
  first_seen_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL
);
-- Of 8 visitors 3 belong to client-a, 2 to client-b, and 1 to each of the others; every 20th left an address.
INSERT INTO visitors
SELECT v, 'client-' || (ARRAY['a', 'b', 'a', 'c', 'a', 'b', 'd', 'e'])[v % 8 + 1],
  CASE WHEN v % 20 = 0 THEN 'visitor' || v || '@example.com' END,
  (ARRAY['DE', 'FR', 'AT', 'NL'])[v % 4 + 1],
  pg_temp.moment(v, 15000) - interval '30 days',
  least(pg_temp.moment(v, 15000) + interval '60 days', pg_temp.now_is() - interval '1 hour')
FROM generate_series(1, 15000) AS v;

-- ---------------------------------------------------------------- what they did
CREATE TABLE sessions (
  id bigint NOT NULL,
  client_id text NOT NULL,
  visitor_id bigint NOT NULL,
  started_at timestamptz NOT NULL,
  user_agent text NOT NULL
);
-- Session s holds the page views 3s-2, 3s-1 and 3s, and starts half a minute before the first of them.
INSERT INTO sessions
SELECT s, v.client_id, v.id, pg_temp.moment(3 * s - 2, 120000) - interval '30 seconds',
  'Mozilla/5.0 (demo ' || s % 40 || ')'
FROM generate_series(1, 40000) AS s JOIN visitors AS v ON v.id = (s * 7919) % 15000 + 1
ORDER BY s;

CREATE TABLE page_views (
  id bigint NOT NULL,
  client_id text NOT NULL,
  session_id bigint NOT NULL,
  visitor_id bigint NOT NULL,
  viewed_at timestamptz NOT NULL,
  path text NOT NULL,
  ip inet NOT NULL,
  payload jsonb NOT NULL
) PARTITION BY RANGE (viewed_at);
CREATE TABLE page_views_default PARTITION OF page_views DEFAULT;
DO $$
DECLARE
  first_month timestamptz := date_trunc('month', pg_temp.now_is() - interval '37 months');
  month timestamptz;
BEGIN
  FOR month IN SELECT generate_series(first_month, pg_temp.now_is() + interval '1 month', interval '1 month') LOOP
    EXECUTE format('CREATE TABLE %I PARTITION OF page_views FOR VALUES FROM (%L) TO (%L)',
      'page_views_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month');
  END LOOP;
END $$;
INSERT INTO page_views
SELECT i, s.client_id, s.id, s.visitor_id, pg_temp.moment(i, 120000),
  '/article/' || (i * 31) % 900,
  '198.51.100.0'::inet + (s.visitor_id % 256),
  jsonb_build_object('width', 800 + s.visitor_id % 5 * 120, 'referrer', 'https://search.example/?q=' || i % 700)
FROM generate_series(1, 120000) AS i JOIN sessions AS s ON s.id = (i + 2) / 3
ORDER BY i;
-- Moments nobody can believe: a tracker whose clock runs ahead, and one that had none. They fall into the default partition.
INSERT INTO page_views
SELECT 120000 + n, s.client_id, s.id, s.visitor_id, moment, '/article/0', '198.51.100.7', '{}'
FROM sessions AS s, (VALUES (1, pg_temp.now_is() + interval '8 months'), (2, timestamptz '1970-01-01 00:00:00+00')) AS odd (n, moment)
WHERE s.id = 39999;

CREATE TABLE page_view_items (
  id bigint NOT NULL,
  page_view_id bigint NOT NULL,
  viewed_at timestamptz NOT NULL,
  client_id text NOT NULL,
  visitor_id bigint NOT NULL,
  item text NOT NULL
);
-- What was clicked within every second page view.
INSERT INTO page_view_items
SELECT p.id / 2, p.id, p.viewed_at, p.client_id, p.visitor_id, 'button-' || p.id % 12
FROM page_views AS p WHERE p.id % 2 = 0 AND p.id <= 120000 ORDER BY p.id;

CREATE TABLE custom_events (
  id bigint NOT NULL,
  client_id text NOT NULL,
  visitor_id bigint NOT NULL,
  name text NOT NULL,
  occurred_at timestamptz,
  properties jsonb NOT NULL
);
-- Over the last 24 months. One has no moment at all, one lies in the future, one is from 1970.
INSERT INTO custom_events
SELECT e, v.client_id, v.id, (ARRAY['signup', 'download', 'search', 'share'])[e % 4 + 1],
  CASE e WHEN 1 THEN NULL WHEN 2 THEN pg_temp.now_is() + interval '3 months' WHEN 3 THEN timestamptz '1970-01-01 00:00:00+00'
    ELSE pg_temp.now_is() - interval '24 months' + e / 55001.0 * (pg_temp.now_is() - (pg_temp.now_is() - interval '24 months')) END,
  jsonb_build_object('value', e % 50)
FROM generate_series(1, 55000) AS e JOIN visitors AS v ON v.id = (e * 7907) % 15000 + 1
ORDER BY e;

-- ---------------------------------------------------------------- what the law wants kept
CREATE TABLE invoices (
  id bigint NOT NULL,
  client_id text NOT NULL,
  number text NOT NULL,
  recipient text NOT NULL,
  invoiced_on date NOT NULL,
  cents bigint NOT NULL
);
-- One every 18 hours or so for twelve years.
INSERT INTO invoices
SELECT n, 'client-' || (ARRAY['a', 'b', 'c', 'd', 'e'])[n % 5 + 1], 'R-' || lpad(n::text, 6, '0'), 'Accounting, Customer ' || n % 5,
  (pg_temp.now_is() - interval '12 years' + n / 6001.0 * (pg_temp.now_is() - (pg_temp.now_is() - interval '12 years')))::date,
  1000 + (n * 7919) % 90000
FROM generate_series(1, 6000) AS n;

-- ---------------------------------------------------------------- beside the application
CREATE TABLE schema_migrations (version text PRIMARY KEY, applied_at timestamptz NOT NULL);
INSERT INTO schema_migrations
SELECT to_char(n, 'FM000') || '_step', pg_temp.now_is() - n * interval '3 months' FROM generate_series(1, 12) AS n;

-- Somebody imported a list once and told nobody.
CREATE TABLE tmp_upload (id bigint PRIMARY KEY, e_mail text, note text, uploaded_at timestamptz);
INSERT INTO tmp_upload
SELECT n, 'person' || n || '@example.org', 'row ' || n, pg_temp.now_is() - interval '14 months' FROM generate_series(1, 200) AS n;

CREATE TABLE page_view_deletions (at timestamptz NOT NULL, rows bigint NOT NULL);

-- ---------------------------------------------------------------- keys, indexes, the trigger
ALTER TABLE visitors ADD PRIMARY KEY (id);
ALTER TABLE sessions ADD PRIMARY KEY (id);
ALTER TABLE page_views ADD PRIMARY KEY (id, viewed_at);
ALTER TABLE page_view_items ADD PRIMARY KEY (id);
ALTER TABLE custom_events ADD PRIMARY KEY (id);
ALTER TABLE invoices ADD PRIMARY KEY (id);
CREATE INDEX ON visitors (client_id);
CREATE INDEX ON sessions (visitor_id);
CREATE INDEX ON sessions (client_id);
CREATE INDEX ON page_views (session_id);
CREATE INDEX ON page_views (client_id);
CREATE INDEX ON page_view_items (page_view_id, viewed_at);
CREATE INDEX ON custom_events (occurred_at);
CREATE INDEX ON custom_events (visitor_id);
CREATE INDEX ON invoices (client_id);
ALTER TABLE visitors ADD CONSTRAINT visitors_client FOREIGN KEY (client_id) REFERENCES clients (id);
ALTER TABLE sessions ADD CONSTRAINT sessions_visitor FOREIGN KEY (visitor_id) REFERENCES visitors (id);
ALTER TABLE sessions ADD CONSTRAINT sessions_client FOREIGN KEY (client_id) REFERENCES clients (id);
ALTER TABLE page_views ADD CONSTRAINT page_views_session FOREIGN KEY (session_id) REFERENCES sessions (id);
ALTER TABLE page_views ADD CONSTRAINT page_views_client FOREIGN KEY (client_id) REFERENCES clients (id);
ALTER TABLE page_view_items ADD CONSTRAINT page_view_items_page_view
  FOREIGN KEY (page_view_id, viewed_at) REFERENCES page_views (id, viewed_at);
ALTER TABLE invoices ADD CONSTRAINT invoices_client FOREIGN KEY (client_id) REFERENCES clients (id);

-- Counts what goes, as the application's own housekeeping does; SECURITY DEFINER, so that whoever deletes needs no right here.
CREATE FUNCTION count_page_view_deletions() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
  INSERT INTO public.page_view_deletions SELECT now(), count(*) FROM gone HAVING count(*) > 0;
  RETURN NULL;
END $$;
CREATE TRIGGER page_views_audit AFTER DELETE ON page_views
  REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION count_page_view_deletions();

COMMIT;
ANALYZE;
