-- How much of Maya's last turn was let go to its end: the next owner goes on there and says nothing twice.
alter table placements add column said_turn int;
alter table placements add column said_sentences int;
