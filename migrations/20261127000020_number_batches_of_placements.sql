-- The last batch that an owner committed, so that one whose answer was lost is not written twice.
alter table placements add column batch uuid;
