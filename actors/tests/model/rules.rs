//! The rules that the model can be without: each is one line of the code, and each has a test that shows what for.

/// How the platform behaves. [`Rules::designed`] is how it must; everything else is a mutant.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// A fenced write fails unless its epoch is the row's (`FencedTx`).
    pub fence: bool,
    /// A new owner sends `TakeOver` before anything else.
    pub marker: bool,
    /// The edge drops what is of a lower epoch than it has seen.
    pub gate_by_epoch: bool,
    /// The edge drops a repeated offset.
    pub gate_by_offset: bool,
    /// The edge drops a sentence that it has wholly written.
    pub drop_written: bool,
    /// The edge puts `AGENT_CLEAR` before a partly written sentence is repeated.
    pub clear_before_repeat: bool,
    /// The position moves with the record of what it covers, not when that was heard.
    pub position_with_record: bool,
    /// A new owner reads the position after its claim has committed.
    pub position_after_claim: bool,
    /// The position of a session begins with its join.
    pub position_from_join: bool,
    /// Messages of the log that a session had are not heard again (`Lag::skip`).
    pub skip_heard: bool,
    /// A sentence is let go once it is recorded.
    pub record_first: bool,
    /// A node that is not in the list is called, and lives if it answers.
    pub call_the_owner: bool,
    /// Where it is not called, a list counts only if the registry has been up for longer than a record lives.
    pub list_needs_uptime: bool,
    /// While the registry is younger than a record lives, the assignment before it stands.
    pub young_lists_wait: bool,
    /// A node that answers that a session does not live there has lost it.
    pub not_here_is_free: bool,
    /// An owner whose own list gives it the partition hands nothing over.
    pub owner_may_refuse: bool,
    /// A session that sees a higher epoch in its row stops, even if it has nothing to write.
    pub find_higher_epochs: bool,
    /// Before a session is handed over, all of a reply that it has begun to word is recorded.
    pub hand_over_whole_replies: bool,
    /// A rebuilt session hears the audio of older connections that stands behind its position.
    pub hear_older_connections: bool,
    /// The candidate's last words are acknowledged again to each connection that joins.
    pub acknowledge_again: bool,
    /// While a session knows no connection, it looks for one in the registry.
    pub look_for_socket: bool,
    /// The edge tells which sentences it has wholly written.
    pub report_written: bool,
}

impl Rules {
    pub const fn designed() -> Self {
        Self {
            fence: true,
            marker: true,
            gate_by_epoch: true,
            gate_by_offset: true,
            drop_written: true,
            clear_before_repeat: true,
            position_with_record: true,
            position_after_claim: true,
            position_from_join: true,
            skip_heard: true,
            record_first: true,
            call_the_owner: true,
            list_needs_uptime: true,
            young_lists_wait: true,
            not_here_is_free: true,
            owner_may_refuse: true,
            find_higher_epochs: true,
            hand_over_whole_replies: true,
            hear_older_connections: true,
            acknowledge_again: true,
            look_for_socket: true,
            report_written: true,
        }
    }
}
