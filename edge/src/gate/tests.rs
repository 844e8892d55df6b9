//! One connection, messages in any order that two owners and two readers can bring them in.

use super::*;
use bytes::Bytes;
use maya_protocol::ids::{ConnectionId, SessionId, TenantId};
use proptest::prelude::*;

fn message(epoch: u64, body: AgentBody) -> AgentMessage {
    AgentMessage {
        session: SessionId::fresh(),
        tenant: TenantId::fresh(),
        partition: 0,
        epoch: Epoch(epoch),
        connection: ConnectionId::fresh(),
        trace: None,
        body,
    }
}
fn speech(epoch: u64, turn: u32, sentence: u32, part: u32) -> AgentMessage {
    let (turn_id, pcm) = (TurnId(turn), Bytes::from_static(&[0, 0]));
    message(epoch, AgentBody::Speech { turn_id, sentence, part, text: String::new(), last: false, pcm })
}
fn whole(epoch: u64, turn: u32, sentence: u32, parts: u32) -> AgentMessage {
    message(epoch, AgentBody::Whole { turn_id: TurnId(turn), sentence, parts })
}
fn end(epoch: u64, turn: u32, sentence: u32) -> AgentMessage {
    let (turn_id, part) = (TurnId(turn), 9);
    let body = AgentBody::Speech { turn_id, sentence, part, text: String::new(), last: true, pcm: Bytes::new() };
    message(epoch, body)
}
fn clear(epoch: u64, turn: u32) -> AgentMessage {
    message(epoch, AgentBody::Clear { turn_id: TurnId(turn), barged_in_at: None })
}
fn take_over(epoch: u64) -> AgentMessage {
    message(epoch, AgentBody::TakeOver { node: None })
}
fn cut(turn: u32, sentence: u32, parts: u32) -> Verdict {
    Verdict::PassAfter(Cut { turn: TurnId(turn), sentence, parts })
}

/// A gate that is given one message after the other.
#[derive(Default)]
struct Line {
    gate: Gate,
    offset: u64,
}
impl Line {
    fn judge(&mut self, message: AgentMessage) -> Verdict {
        self.offset += 1;
        self.gate.judge(&message, self.offset)
    }
    /// A sentence of two parts, let through and written.
    fn hears(&mut self, epoch: u64, turn: u32, sentence: u32) {
        for part in 0..2 {
            assert_eq!(self.judge(speech(epoch, turn, sentence, part)), Verdict::Pass);
        }
        assert_eq!(self.judge(whole(epoch, turn, sentence, 2)), Verdict::Pass);
        self.gate.written(TurnId(turn), sentence);
    }
}

#[test]
fn repeated_offsets_and_lower_epochs_are_dropped() {
    let mut gate = Gate::default();
    assert_eq!(gate.judge(&speech(1, 0, 0, 0), 10), Verdict::Pass);
    assert_eq!(gate.judge(&speech(1, 0, 0, 0), 10), Verdict::Drop("repeated"));
    assert_eq!(gate.judge(&take_over(2), 11), Verdict::Pass);
    assert_eq!(gate.judge(&speech(1, 0, 0, 1), 12), Verdict::Drop("stale_epoch"));
    let words = AgentBody::Transcript { utterance_id: TurnId(1), text: "x".into(), r#final: true };
    assert_eq!(gate.judge(&message(1, words.clone()), 3), Verdict::Drop("stale_epoch"), "across topics too");
    assert_eq!(gate.judge(&message(2, words), 4), Verdict::Pass, "the topics count apart");
}

#[test]
fn final_words_are_written_once_also_after_newer_ones_that_another_edge_sent() {
    let words = |turn, text: &str, r#final| {
        message(1, AgentBody::Transcript { utterance_id: TurnId(turn), text: text.into(), r#final })
    };
    let mut gate = Gate::default();
    assert_eq!(gate.judge(&words(3, "and", false), 20), Verdict::Pass);
    assert_eq!(gate.judge(&words(1, "I measured", false), 14), Verdict::Drop("repeated"), "its time is past");
    assert_eq!(gate.judge(&words(1, "I measured first.", true), 15), Verdict::Pass);
    assert_eq!(gate.judge(&words(1, "I measured first.", true), 15), Verdict::Drop("repeated"));
    assert_eq!(gate.judge(&words(3, "and then", false), 21), Verdict::Pass);
}

#[test]
fn nothing_of_a_cleared_turn_follows_but_a_repeated_sentence_does() {
    let mut line = Line::default();
    assert_eq!(line.judge(speech(1, 2, 0, 0)), Verdict::Pass);
    assert_eq!(line.judge(speech(1, 2, 1, 0)), Verdict::Pass);
    assert_eq!(line.judge(clear(1, 2)), Verdict::Pass);
    assert_eq!(line.judge(speech(1, 2, 1, 1)), Verdict::Drop("cleared"));
    assert_eq!(line.judge(speech(1, 2, 2, 0)), Verdict::Drop("cleared"));
    assert_eq!(line.judge(speech(1, 4, 0, 0)), Verdict::Pass, "another turn goes on");
    assert_eq!(line.judge(speech(1, 2, 1, 0)), Verdict::Pass, "the cut sentence is said again");
    assert_eq!(line.judge(speech(1, 2, 2, 0)), Verdict::Pass);
}

#[test]
fn a_clear_before_any_speech_shuts_nothing() {
    let mut line = Line::default();
    assert_eq!(line.judge(clear(1, 2)), Verdict::Pass);
    assert_eq!(line.judge(speech(1, 2, 3, 0)), Verdict::Pass);
}

#[test]
fn what_was_heard_without_its_beginning_comes_again_in_order() {
    let mut line = Line::default();
    line.hears(1, 0, 3);
    assert_eq!(line.judge(end(1, 0, 3)), Verdict::Pass);
    assert_eq!(line.judge(take_over(2)), Verdict::Pass);
    assert_eq!(line.judge(speech(2, 0, 2, 0)), cut(0, 3, 1), "the client drops sentence 3");
    assert_eq!(line.judge(whole(2, 0, 2, 1)), Verdict::Pass);
    assert_eq!(line.judge(speech(2, 0, 3, 0)), Verdict::Pass, "it is said after 2");
    assert_eq!(line.judge(whole(2, 0, 3, 1)), Verdict::Pass);
    assert_eq!(line.judge(end(2, 0, 3)), Verdict::Pass, "and the turn ends after it");
}

#[test]
fn a_new_owner_repeats_no_whole_sentence_and_begins_a_cut_one_anew() {
    let mut line = Line::default();
    line.hears(1, 2, 0);
    assert_eq!(line.judge(speech(1, 2, 1, 0)), Verdict::Pass);
    assert_eq!(line.judge(take_over(2)), Verdict::Pass);
    assert_eq!(line.judge(speech(2, 2, 0, 0)), Verdict::Tell(TurnId(2), 0));
    assert_eq!(line.judge(speech(2, 2, 0, 1)), Verdict::Drop("written"), "told once");
    assert_eq!(line.judge(whole(2, 2, 0, 2)), Verdict::Drop("not_whole"));
    assert_eq!(line.judge(speech(2, 2, 1, 0)), cut(2, 1, 1));
    assert_eq!(line.judge(speech(2, 2, 1, 1)), Verdict::Pass);
    assert_eq!(line.judge(whole(2, 2, 1, 2)), Verdict::Pass);
    assert_eq!(line.judge(end(2, 2, 1)), Verdict::Pass, "the final frame is no repetition");
    assert_eq!(line.judge(end(2, 2, 1)), Verdict::Drop("written"));
}

#[test]
fn a_whole_sentence_that_still_waits_is_told_when_it_is_written() {
    let mut line = Line::default();
    assert_eq!(line.judge(speech(1, 2, 0, 0)), Verdict::Pass);
    assert_eq!(line.judge(whole(1, 2, 0, 1)), Verdict::Pass);
    assert_eq!(line.judge(speech(2, 2, 0, 0)), Verdict::Drop("written"));
}

#[test]
fn a_sentence_that_was_cleared_before_it_was_written_is_said_again() {
    let mut line = Line::default();
    line.hears(1, 2, 0);
    assert_eq!(line.judge(speech(1, 2, 1, 0)), Verdict::Pass);
    assert_eq!(line.judge(whole(1, 2, 1, 1)), Verdict::Pass);
    assert_eq!(line.judge(clear(1, 2)), Verdict::Pass);
    assert_eq!(line.judge(take_over(2)), Verdict::Pass);
    assert_eq!(line.judge(speech(2, 2, 0, 0)), Verdict::Tell(TurnId(2), 0));
    assert_eq!(line.judge(speech(2, 2, 1, 0)), Verdict::Pass, "nothing of it is left to be dropped");
    assert_eq!(line.judge(speech(2, 2, 2, 0)), Verdict::Pass, "the clear was the former owner's");
}

#[test]
fn a_sentence_with_a_part_missing_is_not_whole() {
    let mut line = Line::default();
    assert_eq!(line.judge(speech(1, 2, 0, 0)), Verdict::Pass);
    assert_eq!(line.judge(speech(1, 2, 0, 2)), Verdict::Drop("not_whole"));
    assert_eq!(line.judge(speech(1, 2, 0, 3)), Verdict::Drop("not_whole"), "and nothing of it is heard after the gap");
    assert_eq!(line.judge(whole(1, 2, 0, 4)), Verdict::Drop("not_whole"));
    assert_eq!(line.judge(end(1, 2, 0)), Verdict::Drop("not_whole"), "the turn is not over");
    assert_eq!(line.judge(speech(2, 2, 0, 0)), cut(2, 0, 1));
    line.gate.lost();
    assert_eq!(line.judge(whole(2, 2, 0, 1)), Verdict::Drop("not_whole"), "its only part found no room");
}

#[test]
fn what_lost_its_beginning_is_not_heard_and_ends_no_turn() {
    let mut line = Line::default();
    // a frozen edge was sent the rest of a sentence alone
    assert_eq!(line.judge(speech(1, 0, 4, 14)), Verdict::Drop("not_whole"));
    assert_eq!(line.judge(whole(1, 0, 4, 15)), Verdict::Drop("not_whole"));
    assert_eq!(line.judge(end(1, 0, 4)), Verdict::Drop("not_whole"));
    line.hears(1, 0, 4);
    assert_eq!(line.judge(end(1, 0, 4)), Verdict::Pass, "once it is said again");
}

#[test]
fn a_turn_ends_after_its_last_part_also_where_nothing_says_that_this_is_all() {
    let mut line = Line::default();
    let aside = 1 << 31;
    for part in 0..9 {
        assert_eq!(line.judge(speech(1, aside, 0, part)), Verdict::Pass);
    }
    assert_eq!(line.judge(end(1, aside, 0)), Verdict::Pass);
}

#[test]
fn a_cut_sentence_is_dropped_before_another_turn_but_not_before_the_next_sentence() {
    let mut line = Line::default();
    assert_eq!(line.judge(speech(1, 2, 0, 0)), Verdict::Pass);
    assert_eq!(line.judge(speech(1, 2, 1, 0)), Verdict::Pass, "its owner goes on: only the mark was lost");
    assert_eq!(line.judge(speech(2, 4, 0, 0)), cut(2, 1, 1));
}

/// What a client makes of the frames.
#[derive(Default)]
struct Client {
    half: Option<(TurnId, u32)>,
    heard: Vec<(TurnId, u32)>,
}

proptest! {
    /// An owner is lost after any of its messages, and wakes after any of its successor's; any message is read again.
    #[test]
    fn every_sentence_is_heard_once_and_no_cut_one_goes_on(
        sentences in 1u32..4, parts in 1u32..4, lost_after in 0usize..16,
        woken in proptest::collection::vec(any::<bool>(), 16), again in proptest::collection::vec(0u64..4, 40),
    ) {
        let says = |epoch| (0..sentences).flat_map(move |sentence| {
            (0..parts).map(move |part| speech(epoch, 2, sentence, part)).chain([whole(epoch, 2, sentence, parts)])
        });
        let mut former: Vec<_> = says(1).collect();
        let mut late = former.split_off(lost_after.min(former.len())).into_iter();
        let mut log = former;
        log.push(take_over(2));
        for (n, message) in says(2).enumerate() {
            log.extend(woken.get(n).filter(|woken| **woken).and_then(|_| late.next()));
            log.push(message);
        }
        let (mut gate, mut client) = (Gate::default(), Client::default());
        let mut at = 0;
        let mut again = again.into_iter();
        while let Some(message) = log.get(at as usize) {
            let verdict = gate.judge(message, at);
            match (&message.body, verdict) {
                (_, Verdict::Drop(_) | Verdict::Tell(..)) => {}
                (AgentBody::Speech { turn_id, sentence, part, .. }, verdict) => {
                    if matches!(verdict, Verdict::PassAfter(_)) {
                        client.half = None;
                    }
                    prop_assert!(!client.heard.contains(&(*turn_id, *sentence)), "{sentence} is repeated");
                    if *part == 0 {
                        prop_assert_eq!(client.half, None, "a cut sentence is followed by {}", sentence);
                    }
                    client.half = Some((*turn_id, *sentence));
                }
                (AgentBody::Whole { turn_id, sentence, .. }, _) => {
                    client.heard.push((*turn_id, *sentence));
                    client.half = None;
                    gate.written(*turn_id, *sentence);
                }
                _ => {}
            }
            at = (at + 1).saturating_sub(again.next().unwrap_or(0));
        }
        let all: Vec<_> = (0..sentences).map(|sentence| (TurnId(2), sentence)).collect();
        prop_assert_eq!(client.heard, all);
    }
}
