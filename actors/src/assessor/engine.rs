//! The deterministic engine `rubric-signals/1`: a score is the share of the rubric's signals that were heard.

use super::{
    evidence::{Finding, Signal, answers, findings, longest_sentence},
    verdict,
};
use maya_protocol::{
    interview::{Assessment, NotJudged, Quote, SkillScore, Turn},
    plan::Plan,
};

const NAME: &str = "rubric-signals/1";
/// Quotes on one skill, at most.
const MOST_QUOTES: usize = 6;

/// Judges a transcript against its plan. A skill without an answer is not judged; with none, nothing is.
pub fn assess(plan: &Plan, turns: &[Turn]) -> Assessment {
    let answers = answers(plan, turns);
    let (mut skills, mut not_judged): (Vec<SkillScore>, Vec<NotJudged>) = (vec![], vec![]);
    for name in judged_skills(plan) {
        let mine = plan.questions().zip(&answers).filter(|((section, _), _)| section.skill.as_deref() == Some(name));
        let (mut signals, mut said, mut reached) = (vec![], vec![], 0);
        for ((_, question), answers) in mine {
            let put = !answers.is_empty() || was_put(plan, &question.id, turns);
            reached += usize::from(put);
            if put {
                signals.extend(findings(question, answers));
                said.extend(answers.iter().copied());
            }
        }
        match longest_sentence(&said) {
            Some(fallback) => skills.push(score(name, signals, fallback)),
            None => {
                let reason =
                    if reached == 0 { "No question on it was reached." } else { "Its questions were not answered." };
                not_judged.push(NotJudged { name: name.to_owned(), reason: reason.to_owned() });
            }
        }
    }
    Assessment {
        recommendation: verdict::recommend(plan, &skills, &not_judged),
        summary: verdict::summarise(&skills, &not_judged),
        skills,
        not_judged,
        written_by: NAME.to_owned(),
    }
}

/// The skills that the plan's sections ask about, each once, in order.
pub(super) fn judged_skills(plan: &Plan) -> Vec<&str> {
    let mut names: Vec<&str> = vec![];
    for name in plan.sections.iter().filter_map(|section| section.skill.as_deref()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn was_put(plan: &Plan, id: &str, turns: &[Turn]) -> bool {
    let index = plan.questions().position(|(_, question)| question.id == id);
    turns.iter().any(|turn| index.is_some() && turn.context.question.map(|q| q as usize) == index)
}

fn score(name: &str, signals: Vec<Signal>, fallback: Quote) -> SkillScore {
    let (mut shown, mut denied, mut absent) = (vec![], vec![], vec![]);
    let (mut for_it, mut against) = (vec![], vec![]);
    let total = signals.len().max(1);
    for signal in signals {
        let expect = signal.expect.trim_end_matches('.').to_owned();
        match signal.finding {
            Finding::Shown(quote) => (shown.push(expect), for_it.push(quote)).1,
            Finding::Denied(quote) => (denied.push(expect), against.push(quote)).1,
            Finding::Absent => absent.push(expect),
        }
    }
    // What is denied weighs against what is shown: half a signal each.
    let points = (shown.len() as f32 - 0.5 * denied.len() as f32).max(0.0);
    let score = (points / total as f32 * 5.0 * 2.0).round() / 2.0;
    let mut quotes: Vec<Quote> = vec![];
    for quote in for_it.into_iter().chain(against) {
        if !quotes.contains(&quote) && quotes.len() < MOST_QUOTES {
            quotes.push(quote);
        }
    }
    if quotes.is_empty() {
        quotes.push(fallback);
    }
    let mut rationale = format!("{} of {total} expected signals were heard.", shown.len());
    for (what, which) in
        [("Heard", shown), ("The candidate said that this does not apply", denied), ("Not heard", absent)]
    {
        if !which.is_empty() {
            rationale.push_str(&format!(" {what}: {}.", which.join("; ")));
        }
    }
    SkillScore { name: name.to_owned(), score, rationale, quotes }
}
