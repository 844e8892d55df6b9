//! The OpenAPI document.

use crate::support::*;
use serde_json::Value;
use std::collections::HashSet;

#[tokio::test]
async fn the_document_is_openapi_3_1_and_all_its_references_lead_somewhere() {
    let api = Api::start().await;
    let answer = api.send(Api::request("GET", "/api/v1/openapi.json", &[], None)).await.expect(200);
    let document = answer.body;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            assert!(names.insert(operation["operationId"].as_str().unwrap()), "{method} {path} has another one's name");
            assert!(operation["summary"].is_string(), "{method} {path} says nothing of itself");
            for parameter in path.split('{').skip(1).filter_map(|rest| rest.split_once('}')) {
                let named = operation["parameters"].as_array().into_iter().flatten();
                assert!(named.clone().any(|known| known["name"] == parameter.0), "{method} {path}: {}", parameter.0);
            }
        }
    }
    let types = document.pointer("/components/schemas/WebhookType/enum").expect("the types of webhooks are listed");
    assert!(types.as_array().unwrap().contains(&"interview.info_needed".into()), "as on the wire: {types}");
    let refused = document.pointer("/paths/~1api~1v1~1integration~1interviews/post/responses/422/content").unwrap();
    assert!(refused.get("application/problem+json").is_some(), "{refused}");
    let page = api.head(Api::request("GET", "/api/v1/docs/", &[], None)).await;
    assert_eq!(page.0, 200);
}

fn collect<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, found)),
        _ => {}
    }
}
