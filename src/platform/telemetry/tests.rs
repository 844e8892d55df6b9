//! What `deploy/` asks Prometheus for is what the code describes.

use std::{collections::BTreeSet, fs, path::Path};

const CRATES: &[&str] = &["actors", "edge", "gateway", "protocol", "providers", "src", "store"];

/// The names in `describe_counter!` and the like: written there, or as a constant of the same file.
fn described(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("our own sources").map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            described(&path, names);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("our own source");
            for after in text.split("describe_").skip(1) {
                let Some((_, arguments)) = after.split_once("!(") else { continue };
                let first = arguments.split([',', ')']).next().unwrap_or_default().trim();
                let constant = format!("const {first}: &str = \"");
                let name = match first.strip_prefix('"') {
                    Some(literal) => literal.strip_suffix('"'),
                    None => text.split_once(&constant).and_then(|(_, value)| value.split('"').next()),
                };
                names.extend(name.map(str::to_owned));
            }
        }
    }
}

/// Every `maya_…` of a text, as it is before Prometheus adds to a histogram's name.
fn named(text: &str) -> BTreeSet<String> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let names = text.match_indices("maya_").map(|(at, _)| {
        let name: String = text[at..].chars().take_while(|letter| is_name(*letter)).collect();
        let plain = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| name.strip_suffix(suffix));
        plain.map_or(name.clone(), str::to_owned)
    });
    names.collect()
}

#[test]
fn rules_and_dashboard_name_only_metrics_that_are_described() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut known = BTreeSet::new();
    CRATES.iter().for_each(|name| described(&root.join(name), &mut known));
    assert!(known.contains("maya_turn_stage_seconds") && known.contains("maya_edge_sockets"), "{known:?}");
    for file in ["deploy/prometheus/maya.rules.yml", "deploy/grafana/maya.json"] {
        let named = named(&fs::read_to_string(root.join(file)).expect("our own file"));
        assert!(named.len() > 10, "{file}: {named:?}");
        let unknown: Vec<_> = named.difference(&known).collect();
        assert!(unknown.is_empty(), "{file} names what no code describes: {unknown:?}");
    }
}
