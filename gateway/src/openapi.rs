//! The OpenAPI document: collected from the handlers' own annotations.

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr,
        path::{Operation, PathItem},
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
        for (method, operation) in operations(item) {
            operation.operation_id = Some(format!("{method}{name}"));
        }
    }
}

/// Errors are RFC 9457 problems, whatever their annotation says of the type of their content.
pub fn name_problems(document: &mut Document) {
    document.paths.paths.values_mut().flat_map(operations).for_each(|(_, operation)| name_problems_of(operation));
}

/// Those of a path, with their methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("get", &mut item.get),
        ("put", &mut item.put),
        ("post", &mut item.post),
        ("delete", &mut item.delete),
        ("patch", &mut item.patch),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_mut()?)))
}

fn name_problems_of(operation: &mut Operation) {
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response
            && status.starts_with(['4', '5'])
            && let Some(problem) = response.content.shift_remove("application/json")
        {
            response.content.insert("application/problem+json".to_owned(), problem);
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
