//! Where the agents think.

use super::Check;
use crate::config::{Agent, ModelKind};
use maya_providers::local::LocalLlm;

impl Check<'_> {
    pub(super) fn models(&mut self) {
        let llm = &self.config.llm;
        let agents = [
            ("llm.planner", Agent::Planner),
            ("llm.interviewer", Agent::Interviewer),
            ("llm.assessor", Agent::Assessor),
        ];
        for (key, agent) in agents {
            let model = llm.of(agent);
            match model.kind {
                Some(ModelKind::Local) if !LocalLlm::AVAILABLE => {
                    let message =
                        "cannot be \"local\": this build runs no model by itself (build it with --features local-llm)";
                    self.wrong(&format!("{key}.kind"), message);
                }
                Some(ModelKind::OpenAi) => {
                    for (name, present) in [("url", model.url.is_some()), ("model", model.model.is_some())] {
                        if !present {
                            let message = format!("is needed by that model (or set llm.{name})");
                            self.wrong(&format!("{key}.{name}"), message);
                        }
                    }
                }
                Some(ModelKind::Local | ModelKind::None) | None => {}
            }
        }
        if llm.file.as_ref().is_some_and(|file| !file.is_file()) {
            self.wrong("llm.file", "is not a file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Role};

    fn config(env: &[(&str, &str)]) -> Config {
        Config::load_from(None, env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
    }
    fn wrong(env: &[(&str, &str)]) -> Vec<String> {
        let checked = config(env).check(&Role::ALL);
        checked.err().map_or_else(Vec::new, |errors| errors.0.into_iter().map(|problem| problem.key).collect())
    }

    #[test]
    fn an_agent_thinks_where_it_says_else_where_its_url_is_else_where_all_do() {
        let kinds = |env: &[(&str, &str)]| {
            let llm = config(env).llm;
            [Agent::Planner, Agent::Interviewer, Agent::Assessor].map(|agent| llm.of(agent).kind.unwrap())
        };
        use ModelKind::{Local, None, OpenAi};
        assert_eq!(kinds(&[]), [None; 3]);
        assert_eq!(kinds(&[("MAYA_LLM__URL", "http://m/v1")]), [OpenAi; 3]);
        assert_eq!(kinds(&[("MAYA_LLM__PLANNER__KIND", "local")]), [Local, None, None]);
        let mixed = [
            ("MAYA_LLM__KIND", "local"),
            ("MAYA_LLM__PLANNER__URL", "http://m/v1"),
            ("MAYA_LLM__INTERVIEWER__KIND", "none"),
        ];
        assert_eq!(kinds(&mixed), [OpenAi, None, Local]);
    }

    #[test]
    fn an_endpoint_is_named_and_a_local_model_needs_a_build_that_has_it() {
        let all = |name: &str| ["planner", "interviewer", "assessor"].map(|agent| format!("llm.{agent}.{name}"));
        assert_eq!(wrong(&[("MAYA_LLM__URL", "http://m/v1")]), all("model"));
        let no_url = [("MAYA_LLM__KIND", "openai"), ("MAYA_LLM__MODEL", "m")];
        assert_eq!(wrong(&no_url), all("url"));
        assert_eq!(wrong(&[("MAYA_LLM__FILE", "/nowhere.gguf")]), ["llm.file"]);
        let expected = if LocalLlm::AVAILABLE { vec![] } else { all("kind").to_vec() };
        assert_eq!(wrong(&[("MAYA_LLM__KIND", "local")]), expected);
    }
}
