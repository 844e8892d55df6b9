//! A short storm, and what the judge says of it.

use maya_chaos::storm::{self, Settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_short_storm_breaks_nothing() {
    let folder = tempfile::Builder::new().prefix("maya-chaos").tempdir().expect("a temporary folder").keep();
    eprintln!("evidence: {}", folder.display());
    let maya = storm::beside_us().expect("the binary is built");
    let report = storm::run(Settings {
        kills: 6,
        seed: 17,
        seats: 3,
        maya,
        toxiproxy: None,
        plant: None,
        folder: folder.clone(),
    });
    let report = report.await.expect("the storm is let loose");
    assert!(report.holds(), "{report}\nevidence: {}", folder.display());
    assert!(report.interviews >= 3, "{report}");
    // of a storm that broke nothing nobody needs the evidence
    std::fs::remove_dir_all(folder).expect("our own folder");
}
