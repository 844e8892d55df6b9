//! The part of JSON Schema that our own schemas use, checked on what a server or a grammar says fits: they differ in how
//! strictly they hold a model to it.

use serde_json::Value;

/// Where a document does not fit, as a path that names no content; none where it does.
pub(crate) fn mismatch(document: &Value, schema: &Value) -> Option<String> {
    check(document, schema, "$")
}

fn check(value: &Value, schema: &Value, path: &str) -> Option<String> {
    let wrong = || Some(path.to_owned());
    let typed = match &schema["type"] {
        Value::String(name) => is_a(value, name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(|name| is_a(value, name)),
        _ => true,
    };
    let listed = schema["enum"].as_array().is_none_or(|values| values.contains(value));
    if !typed || !listed {
        return wrong();
    }
    if let Some(number) = value.as_f64() {
        let low = schema["minimum"].as_f64().is_some_and(|least| number < least);
        let high = schema["maximum"].as_f64().is_some_and(|most| number > most);
        if low || high {
            return wrong();
        }
    }
    if let Some(items) = value.as_array() {
        let few = schema["minItems"].as_u64().is_some_and(|least| (items.len() as u64) < least);
        let many = schema["maxItems"].as_u64().is_some_and(|most| items.len() as u64 > most);
        if few || many {
            return wrong();
        }
        if schema["items"].is_object() {
            let mut items = items.iter().enumerate();
            return items.find_map(|(i, item)| check(item, &schema["items"], &format!("{path}[{i}]")));
        }
    }
    let object = value.as_object()?;
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Some(format!("{path}.{name}"));
        }
    }
    let properties = schema["properties"].as_object();
    object.iter().find_map(|(name, item)| match properties.and_then(|known| known.get(name)) {
        Some(schema) => check(item, schema, &format!("{path}.{name}")),
        None if schema["additionalProperties"] == Value::Bool(false) => wrong(),
        None => None,
    })
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_document_that_does_not_fit_is_found_and_placed() {
        let schema = json!({ "type": "object", "required": ["a", "n"], "additionalProperties": false, "properties": {
            "a": { "type": "array", "minItems": 1, "items": { "type": ["string", "null"] } },
            "n": { "type": "integer", "minimum": 0, "maximum": 5 },
            "e": { "type": "string", "enum": ["X", "Y"] } } });
        assert_eq!(mismatch(&json!({ "a": ["s", null], "n": 5, "e": "X" }), &schema), None);
        for (document, place) in [
            (json!([]), "$"),
            (json!({ "n": 1 }), "$.a"),
            (json!({ "a": [], "n": 1 }), "$.a"),
            (json!({ "a": ["x", 3], "n": 1 }), "$.a[1]"),
            (json!({ "a": ["x"], "n": 1.5 }), "$.n"),
            (json!({ "a": ["x"], "n": 6 }), "$.n"),
            (json!({ "a": ["x"], "n": 1, "e": "Z" }), "$.e"),
            (json!({ "a": ["x"], "n": 1, "z": 1 }), "$"),
        ] {
            assert_eq!(mismatch(&document, &schema).as_deref(), Some(place), "{document}");
        }
    }
}
