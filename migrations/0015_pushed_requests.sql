-- A pushed request is kept as it was read and proven, so that nothing of it is verified a second time. JSON; NULL: parked,
-- where `parameters` is all there is.
ALTER TABLE waiting_requests ADD COLUMN request TEXT;
