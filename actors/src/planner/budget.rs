//! How an interview's minutes are shared out: whole minutes, exact sums, must-haves first.

/// The minutes of each stretch; together the whole interview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Budget {
    pub opening: u32,
    /// In the order given; those beyond the end did not fit.
    pub skills: Vec<u32>,
    pub leadership: Option<u32>,
    pub closing: u32,
}

/// A skill is not worth opening for less, where there is time at all.
const LEAST: u32 = 3;
/// What one question takes with its follow-up.
const MINUTES_A_QUESTION: f32 = 2.5;

/// Shares out the time over skills given as "is a must-have", must-haves first.
pub(super) fn share(duration: u32, must_haves: &[bool], wants_leadership: bool) -> Budget {
    let (opening, closing) = match duration {
        0..2 => (0, 0),
        2..5 => (1, 0),
        5..10 => (1, 1),
        10..25 => (2, 2),
        25..60 => (3, 3),
        60..120 => (5, 5),
        _ => (8, 7),
    };
    let leadership = match duration {
        _ if !wants_leadership => None,
        0..12 => None,
        12..30 => Some(3),
        30..60 => Some(5),
        60..120 => Some(8),
        _ => Some(15),
    };
    let left = duration - opening - closing - leadership.unwrap_or(0);
    let least = if duration < 12 { 2 } else { LEAST };
    let fit = ((left / least).max(1) as usize).min(must_haves.len());
    let skills = if fit == 0 { vec![] } else { by_weight(left, &must_haves[..fit]) };
    Budget { opening, skills, leadership, closing }
}

/// Must-haves get three parts, others two; what a whole minute leaves over goes to the largest remainders.
fn by_weight(minutes: u32, must_haves: &[bool]) -> Vec<u32> {
    let weights: Vec<u32> = must_haves.iter().map(|must| if *must { 3 } else { 2 }).collect();
    let total: u32 = weights.iter().sum();
    let mut shares: Vec<u32> = weights.iter().map(|weight| minutes * weight / total).collect();
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by_key(|i| std::cmp::Reverse(minutes * weights[*i] % total));
    let over = minutes - shares.iter().sum::<u32>();
    for i in order.into_iter().take(over as usize) {
        shares[i] += 1;
    }
    shares
}

/// How many questions so many minutes hold, one at least and `most` at most.
pub(super) fn questions(minutes: u32, most: usize) -> usize {
    ((minutes as f32 / MINUTES_A_QUESTION).floor() as usize).clamp(1, most.max(1))
}
