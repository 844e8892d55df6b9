//! The candidate's page and what it asks.

use crate::{admission::live, support::*};
use maya_protocol::{registry::Registry, session::Phase};
use serde_json::Value;
use std::time::Duration;

#[tokio::test]
async fn the_page_is_served_with_its_guards() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let (status, head, body) = get(&edge, "/join?token=x").await;
    assert_eq!(status, 200);
    for guard in ["cache-control: no-store", "script-src 'self';", "frame-ancestors 'none'", "nosniff", "no-referrer"] {
        assert!(head.contains(guard), "{guard} in {head}");
    }
    assert!(head.contains(&format!("ws://{}", edge.address)));
    assert!(!body.contains("<script>") && !body.contains("onclick="), "the policy allows nothing inline");
    let assets = body.split("/assets/candidate/").skip(1).map(|rest| rest.split('"').next().unwrap());
    for asset in assets {
        let (status, head, _) = get(&edge, &format!("/assets/candidate/{asset}")).await;
        assert_eq!(status, 200, "{asset}");
        assert!(head.contains("nosniff") && !head.contains("octet-stream"));
    }
    assert_eq!(get(&edge, "/assets/candidate/../../Cargo.toml").await.0, 404);
    assert_eq!(get(&edge, "/assets/candidate/nothing.js").await.0, 404);
}

#[tokio::test]
async fn the_page_learns_what_the_link_says() {
    let platform = Platform::new().await;
    let edge = platform.edge(quick()).await;
    let ticket = platform.session();
    let ask = async |query: String| {
        let (status, head, body) = get(&edge, &format!("/join/info?{query}")).await;
        assert!(head.contains("no-store"));
        (status, serde_json::from_str::<Value>(&body).unwrap())
    };
    let (status, info) = ask(ticket.query()).await;
    assert_eq!((status, &info["status"], &info["title"]), (200, &"READY".into(), &"Nurse".into()));
    assert_eq!((&info["durationMinutes"], &info["recording"]), (&20.into(), &false.into()));
    assert!(info["textVersion"].is_string() && info.get("candidateName").is_none());

    live(&platform, ticket.session(), Phase::Ended).await;
    assert_eq!(ask(ticket.query()).await.1["status"], "ENDED");
    let early = platform.session_between(Some(3_999_999_999), 4_000_000_000);
    let (status, info) = ask(early.query()).await;
    assert_eq!((status, &info["status"], &info["title"]), (200, &"EARLY".into(), &"Nurse".into()));
    assert_eq!(info["opensAt"], "2096-10-02T07:06:39Z");
    let late = platform.session_until(1_000_000_000);
    let (status, info) = ask(late.query()).await;
    assert_eq!((status, &info["status"]), (200, &"EXPIRED".into()));
    assert!(info.get("title").is_none(), "an expired link tells nothing of the interview");

    assert_eq!(ask(ticket.query().replace("token=", "token=x")).await.0, 401);
    platform.registry.revoke_join(late.session(), 9, Duration::from_secs(60)).await.unwrap();
    let (status, problem) = ask(late.query()).await;
    assert_eq!((status, &problem["code"]), (401, &"join_token_revoked".into()));
}
