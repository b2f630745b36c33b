-- What goes through the browser: tokens from the authorization endpoint, and logouts that platforms learn of in frames.

-- When tokens of the grant went out at the authorization endpoint, beside its code or instead of it.
ALTER TABLE grants ADD COLUMN front_at BIGINT;

-- The platform's page for the browser that leaves; NULL: it has none.
ALTER TABLE logout_deliveries ADD COLUMN front_uri TEXT;
-- When a signed-out page with that frame was shown.
ALTER TABLE logout_deliveries ADD COLUMN front_at BIGINT;
