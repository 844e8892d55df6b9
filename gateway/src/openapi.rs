//! The OpenAPI document: collected from the handlers' own annotations.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// What is true of all routes.
#[derive(OpenApi)]
#[openapi(
    info(title = "maya Integration API", description = "Interviews from their creation to a verdict that a person approved."),
    modifiers(&Credentials),
    tags(
        (name = "interviews", description = "Interviews and their audit log"),
        (name = "plans", description = "The human gate before the conversation"),
        (name = "sessions", description = "The live conversation, seen from outside"),
        (name = "assessments", description = "The human gate before the verdict"),
        (name = "tasks", description = "What waits for a person")
    )
)]
pub struct ApiDoc;

struct Credentials;
impl Modify for Credentials {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components
            .add_security_scheme("api_key", SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::new("X-API-Key"))));
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    }
}

/// Names each operation after its method and path: handlers of two modules may have one name.
pub fn name_operations(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let words = path.trim_start_matches("/api/v1/").split(['/', '-']);
        let name: String = words.map(|word| capitalised(word.trim_matches(['{', '}']))).collect();
        let operations = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("delete", &mut item.delete),
            ("patch", &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                operation.operation_id = Some(format!("{method}{name}"));
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
