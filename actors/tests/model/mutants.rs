//! The model without one of its rules: each must break a property, or the rule is not needed, or the model does not
//! see what it is for. The comment says what then happens to a candidate, where the name does not.

use crate::{Exploration, properties::*, rules::Rules, world::Faults};

/// No fault at all.
const NONE: Faults =
    Faults { moves: 0, crashes: 0, pauses: 0, edge_crashes: 0, registry_losses: 0, falls: 0, rereads: 0 };

/// A rule is taken away; with these faults, one of these properties must break.
fn without(take_away: impl Fn(&mut Rules), utterances: u8, sentences: u8, faults: Faults, breaks: &[&'static str]) {
    let mut rules = Rules::designed();
    take_away(&mut rules);
    Exploration { rules, utterances, sentences, faults }.breaks(breaks);
}

#[test]
fn without_the_fence_a_stale_owner_writes() {
    let faults = Faults { pauses: 1, ..NONE };
    without(|rules| rules.fence = false, 1, 1, faults, &[ONE_WRITER]);
}

/// Who wakes and hears on, writes on.
#[test]
fn without_the_fence_an_utterance_is_recorded_twice() {
    let faults = Faults { pauses: 1, ..NONE };
    without(|rules| rules.fence = false, 1, 1, faults, &[RECORDED_ONCE]);
}

/// Any message of a new owner's shuts the former one out; the marker does not depend on there being something to say.
#[test]
fn without_the_marker_a_former_owner_is_heard_until_the_new_one_speaks() {
    let faults = Faults { pauses: 1, ..NONE };
    without(|rules| (rules.marker, rules.acknowledge_again) = (false, false), 1, 1, faults, &[ONE_VOICE]);
}

#[test]
fn an_edge_that_ignores_epochs_lets_two_owners_speak() {
    let faults = Faults { pauses: 1, ..NONE };
    without(|rules| rules.gate_by_epoch = false, 1, 1, faults, &[ONE_VOICE]);
}

#[test]
fn a_position_that_moves_ahead_loses_words() {
    let faults = Faults { crashes: 1, ..NONE };
    without(|rules| rules.position_with_record = false, 1, 1, faults, &[POSITION]);
}

/// It is behind what the turns say: the same audio is heard, and recorded, again.
#[test]
fn a_position_read_before_the_claim_doubles_an_utterance() {
    let faults = Faults { pauses: 1, ..NONE };
    without(|rules| rules.position_after_claim = false, 1, 1, faults, &[RECORDED_ONCE]);
}

#[test]
fn a_session_without_a_position_loses_the_first_words() {
    let faults = Faults { crashes: 1, ..NONE };
    without(|rules| rules.position_from_join = false, 1, 1, faults, &[GOES_ON]);
}

#[test]
fn a_message_that_is_heard_twice_is_recorded_twice() {
    let faults = Faults { rereads: 1, ..NONE };
    without(|rules| rules.skip_heard = false, 1, 1, faults, &[RECORDED_ONCE]);
}

#[test]
fn a_sentence_let_go_before_its_record_may_be_worded_anew() {
    without(|rules| rules.record_first = false, 1, 1, NONE, &[RECORDED_FIRST]);
}

#[test]
fn an_edge_that_forgets_what_it_wrote_repeats_it() {
    let faults = Faults { crashes: 1, ..NONE };
    without(|rules| rules.drop_written = false, 1, 1, faults, &[HEARD_ONCE]);
}

#[test]
fn a_cut_sentence_without_a_clear_is_heard_in_two_halves() {
    let faults = Faults { crashes: 1, ..NONE };
    without(|rules| rules.clear_before_repeat = false, 1, 1, faults, &[CLEARED]);
}

/// Only together: a sentence that was wholly written is dropped whatever its offset.
#[test]
fn an_edge_that_knows_neither_offsets_nor_sentences_repeats_what_is_read_again() {
    let faults = Faults { rereads: 1, ..NONE };
    let take_away = |rules: &mut Rules| (rules.gate_by_offset, rules.drop_written) = (false, false);
    without(take_away, 1, 1, faults, &[HEARD_ONCE]);
}

/// Either rule is enough; the first needs to know where the owner answers.
#[test]
fn an_emptied_registry_would_take_sessions_from_live_owners() {
    let faults = Faults { moves: 1, registry_losses: 1, ..NONE };
    let take_away = |rules: &mut Rules| (rules.call_the_owner, rules.list_needs_uptime) = (false, false);
    without(take_away, 1, 1, faults, &[KEPT]);
}

/// Who was stopped while two owners came and went believes that the session is its own.
#[test]
fn a_former_owner_that_has_nothing_to_write_must_look_at_its_row() {
    let faults = Faults { crashes: 1, pauses: 1, ..NONE };
    without(|rules| rules.find_higher_epochs = false, 1, 1, faults, &[GOES_ON]);
}

/// Its node lives and is not given the partition any more: nobody else would ever take it.
#[test]
fn a_session_that_fell_where_nobody_looks_for_it_would_be_lost() {
    let faults = Faults { moves: 1, falls: 1, ..NONE };
    without(|rules| rules.not_here_is_free = false, 1, 1, faults, &[GOES_ON]);
}

/// The first node that is back in it would be asked to take everything, and the others to give it.
#[test]
fn an_emptied_registry_would_move_sessions_there_and_back() {
    let faults = Faults { registry_losses: 1, ..NONE };
    without(|rules| rules.young_lists_wait = false, 1, 1, faults, &[CALM]);
}

#[test]
fn two_nodes_with_different_lists_would_hand_a_session_over_for_ever() {
    let faults = Faults { moves: 1, ..NONE };
    without(|rules| rules.owner_may_refuse = false, 1, 1, faults, &[CALM]);
}

/// What was worded and not recorded, as a rule the question, is never said.
#[test]
fn a_hand_over_at_the_next_sentence_loses_the_rest_of_the_reply() {
    let faults = Faults { moves: 1, ..NONE };
    without(|rules| rules.hand_over_whole_replies = false, 1, 2, faults, &[GOES_ON]);
}

/// They stand in the log under a connection that is not the session's any more.
#[test]
fn words_of_an_older_connection_would_be_lost_with_their_node() {
    let faults = Faults { crashes: 1, edge_crashes: 1, ..NONE };
    without(|rules| rules.hear_older_connections = false, 1, 1, faults, &[POSITION, GOES_ON]);
}

/// The first `TRANSCRIPT` may have gone with the node that recorded it, or with an edge.
#[test]
fn words_would_stay_unacknowledged_though_they_are_recorded() {
    let faults = Faults { crashes: 1, ..NONE };
    without(|rules| rules.acknowledge_again = false, 1, 1, faults, &[GOES_ON]);
}

#[test]
fn a_session_rebuilt_while_the_registry_knows_no_socket_would_stay_mute() {
    let faults = Faults { crashes: 1, registry_losses: 1, ..NONE };
    without(|rules| rules.look_for_socket = false, 1, 1, faults, &[GOES_ON]);
}

/// The owner cannot tell what a lost edge had written.
#[test]
fn an_edge_that_does_not_report_makes_the_session_repeat_itself() {
    let faults = Faults { edge_crashes: 1, ..NONE };
    without(|rules| rules.report_written = false, 1, 2, faults, &[HEARD_ONCE]);
}
