//! Who may do what: one table, checked against the OpenAPI document, so that no route is forgotten.

use crate::support::*;
use maya_gateway::auth::{Permission as P, Role};
use maya_protocol::ids::InterviewId;
use serde_json::json;
use std::collections::BTreeSet;

/// Method, path as in the document, what it needs (none: public).
const TABLE: &[(&str, &str, Option<P>)] = &[
    ("POST", "/api/v1/integration/interviews", Some(P::InterviewCreate)),
    ("GET", "/api/v1/integration/interviews", Some(P::InterviewRead)),
    ("GET", "/api/v1/integration/interviews/{id}", Some(P::InterviewRead)),
    ("PATCH", "/api/v1/integration/interviews/{id}", Some(P::InterviewUpdate)),
    ("DELETE", "/api/v1/integration/interviews/{id}", Some(P::InterviewDelete)),
    ("POST", "/api/v1/integration/interviews/{id}/cancel", Some(P::InterviewUpdate)),
    ("GET", "/api/v1/integration/interviews/{id}/plan", Some(P::InterviewRead)),
    ("PUT", "/api/v1/integration/interviews/{id}/plan", Some(P::InterviewApprove)),
    ("POST", "/api/v1/integration/interviews/{id}/plan/approve", Some(P::InterviewApprove)),
    ("POST", "/api/v1/integration/interviews/{id}/plan/reject", Some(P::InterviewApprove)),
    ("POST", "/api/v1/integration/interviews/{id}/session", Some(P::InterviewUpdate)),
    ("GET", "/api/v1/integration/interviews/{id}/session", Some(P::InterviewRead)),
    ("GET", "/api/v1/integration/interviews/{id}/transcript", Some(P::InterviewRead)),
    ("GET", "/api/v1/integration/interviews/{id}/assessment", Some(P::InterviewRead)),
    ("PUT", "/api/v1/integration/interviews/{id}/assessment", Some(P::InterviewApprove)),
    ("POST", "/api/v1/integration/interviews/{id}/assessment/approve", Some(P::InterviewApprove)),
    ("POST", "/api/v1/integration/interviews/{id}/assessment/reject", Some(P::InterviewApprove)),
    ("GET", "/api/v1/integration/interviews/{id}/events", Some(P::InterviewRead)),
    ("GET", "/api/v1/integration/interviews/{id}/recordings", Some(P::InterviewRead)),
    ("GET", "/api/v1/integration/interviews/{id}/recordings/{recording}/content", Some(P::InterviewRead)),
    ("GET", "/api/v1/tasks", Some(P::InterviewRead)),
    ("GET", "/api/v1/skills", Some(P::SkillRead)),
    ("POST", "/api/v1/skills", Some(P::SkillManage)),
    ("DELETE", "/api/v1/skills/{id}", Some(P::SkillManage)),
    ("GET", "/api/v1/webhooks", Some(P::WebhookManage)),
    ("POST", "/api/v1/webhooks", Some(P::WebhookManage)),
    ("GET", "/api/v1/webhooks/{id}", Some(P::WebhookManage)),
    ("PATCH", "/api/v1/webhooks/{id}", Some(P::WebhookManage)),
    ("DELETE", "/api/v1/webhooks/{id}", Some(P::WebhookManage)),
    ("POST", "/api/v1/webhooks/{id}/secret/rotate", Some(P::WebhookManage)),
    ("POST", "/api/v1/webhooks/{id}/test", Some(P::WebhookManage)),
    ("GET", "/api/v1/webhooks/deliveries", Some(P::WebhookManage)),
    ("POST", "/api/v1/webhooks/deliveries/{id}/replay", Some(P::WebhookManage)),
    ("GET", "/api/v1/api-keys", Some(P::KeyManage)),
    ("POST", "/api/v1/api-keys", Some(P::KeyManage)),
    ("DELETE", "/api/v1/api-keys/{id}", Some(P::KeyManage)),
    ("POST", "/api/v1/api-keys/{id}/rotate", Some(P::KeyManage)),
    ("GET", "/api/v1/nodes", Some(P::NodeRead)),
    ("GET", "/api/v1/actors", Some(P::NodeRead)),
    ("GET", "/api/v1/actors/stream", Some(P::NodeRead)),
    ("GET", "/api/v1/actors/history", Some(P::NodeRead)),
    ("POST", "/api/v1/actors/{id}/restart", Some(P::NodeManage)),
    ("POST", "/api/v1/actors/{id}/rotate-stt", Some(P::NodeManage)),
    ("POST", "/api/v1/actors/{id}/end", Some(P::NodeManage)),
    ("POST", "/api/v1/actors/{id}/move", Some(P::NodeManage)),
    ("POST", "/api/v1/nodes/{id}/drain", Some(P::NodeManage)),
    ("POST", "/api/v1/nodes/{id}/pause", Some(P::NodeManage)),
    ("POST", "/api/v1/nodes/{id}/resume", Some(P::NodeManage)),
    ("GET", "/api/v1/interviews/states", Some(P::NodeRead)),
    ("GET", "/api/v1/health/live", None),
    ("GET", "/api/v1/health/ready", None),
];

#[test]
fn the_table_names_every_route_of_the_document() {
    let document = serde_json::to_value(maya_gateway::openapi()).unwrap();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.to_uppercase(), path.clone())).collect::<Vec<_>>()
        })
        .collect();
    let table: BTreeSet<(String, String)> =
        TABLE.iter().map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(documented, table);
}

#[tokio::test]
async fn every_role_may_do_exactly_what_the_table_says() {
    let api = Api::start().await;
    for &role in Role::ALL {
        let key = api.key(role).await;
        for &(method, path, permission) in TABLE {
            let path = path.replace("{id}", &InterviewId::fresh().to_string()).replace("{recording}", "x");
            let body = (method != "GET").then(|| json!({}));
            let request = Api::request(method, &path, &[("x-api-key", &key)], body.as_ref());
            let (status, _) = api.head(request).await;
            let may = permission.is_none_or(|permission| permission.roles().contains(&role));
            assert_eq!(status != 403, may, "{role} {method} {path}: {status}");
            assert!(status != 401 && !status.is_server_error(), "{role} {method} {path}: {status}");
        }
    }
    for &(method, path, permission) in TABLE {
        let path = path.replace("{id}", "x").replace("{recording}", "x");
        let (status, _) = api.head(Api::request(method, &path, &[], None)).await;
        assert_eq!(status == 401, permission.is_some(), "nobody {method} {path}: {status}");
    }
}

#[test]
fn an_operator_has_nothing_of_interviews() {
    for permission in P::ALL {
        let of_interviews = permission.as_str().starts_with("interview:");
        assert!(!(of_interviews && permission.roles().contains(&Role::Operator)), "{permission}");
    }
}

#[tokio::test]
async fn another_tenants_interview_answers_as_an_unknown_one() {
    let api = Api::start().await;
    let (id, _) = api.approved().await;
    let stranger = api.other_tenant().await.api_key;
    let unknown = InterviewId::fresh().to_string();
    for &(method, path, permission) in TABLE {
        if !path.contains("interviews/{id}") || permission.is_none() {
            continue;
        }
        let body = (method != "GET").then(|| json!({}));
        let mut answers = Vec::new();
        for id in [&id, &unknown] {
            let path = path.replace("{id}", id).replace("{recording}", &unknown);
            let answer = api.send(Api::request(method, &path, &[("x-api-key", &stranger)], body.as_ref())).await;
            answers.push((answer.status, answer.body));
        }
        assert_eq!(answers[0], answers[1], "{method} {path}");
        assert_eq!(answers[0].0, 404, "{method} {path}");
    }
    let theirs = api.send(Api::request("GET", INTERVIEWS, &[("x-api-key", &stranger)], None)).await.expect(200);
    assert_eq!(theirs.body["items"], json!([]));
    let tasks = api.send(Api::request("GET", "/api/v1/tasks", &[("x-api-key", &stranger)], None)).await.expect(200);
    assert_eq!(tasks.body["items"], json!([]));
    // and it is untouched
    assert_eq!(api.get(&format!("{INTERVIEWS}/{id}")).await.body["state"], "APPROVED");
}
