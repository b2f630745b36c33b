-- The language in which a person wants pages and messages, on whatever device; NULL as long as none was chosen for the account.
ALTER TABLE persons ADD COLUMN language TEXT;
