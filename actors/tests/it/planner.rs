//! Skills in pgvector: the nearest comes first, and each tenant sees its own.

use crate::support::{Ground, ground};
use maya_actors::planner::{
    Catalogue, MatchSettings, MemoryIndex, ResolvedSkill, SkillIndex, SkillMatch,
    index::{self, PgIndex},
    resolve,
};
use maya_protocol::{ids::TenantId, interview::RequestedSkill};
use maya_providers::{embed::Embedder, testing::HashEmbedder};

/// With the hash embedder, meant skills measured 0.65 and up, foreign ones 0.37 at most.
const SETTINGS: MatchSettings = MatchSettings { threshold: 0.5, suggest_from: 0.2 };

async fn place(text: &str) -> Vec<f32> {
    HashEmbedder::default().embed(vec![text.to_owned()]).await.unwrap().remove(0)
}

async fn nearest(index: &PgIndex, text: &str) -> Vec<SkillMatch> {
    index.nearest(&place(text).await, 3).await.unwrap()
}

async fn resolved(index: &PgIndex, name: &str) -> ResolvedSkill {
    let wanted = [RequestedSkill { name: name.to_owned(), level: None, must_have: true }];
    let embedder = HashEmbedder::default();
    resolve(&wanted, Catalogue::seeded(), index, Some(&embedder), &SETTINGS).await.unwrap().remove(0)
}

/// A skill of the tenant's own.
async fn add_skill(ground: &Ground, tenant: TenantId, name: &str, description: &str) {
    let embedding = place(&format!("{name}. {description}")).await;
    let mut tx = ground.store.tenant(tenant).await.unwrap();
    sqlx::query(
        "insert into skills (id, tenant_id, name, description, space, embedding, created_at)
         values (gen_random_uuid(), $1, $2, $3, $4, $5::vector, now())",
    )
    .bind(tenant.0)
    .bind(name)
    .bind(description)
    .bind(HashEmbedder::default().name())
    .bind(format!("{embedding:?}"))
    .execute(tx.conn())
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn the_nearest_skill_comes_first_and_another_tenants_is_not_seen() {
    let ground = ground().await;
    let (catalogue, embedder) = (Catalogue::seeded(), HashEmbedder::default());
    assert_eq!(index::seed(&ground.store, catalogue, &embedder).await.unwrap(), catalogue.skills().len());
    assert_eq!(index::seed(&ground.store, catalogue, &embedder).await.unwrap(), 0, "it is there already");
    let (keeper, other) = (ground.tenant(None).await, ground.tenant(None).await);
    add_skill(&ground, keeper, "Beekeeping", "Keeping hives of bees through the year.").await;
    let of = |tenant| PgIndex::new(ground.store.clone(), tenant, Some(&embedder));
    let (keepers, others) = (of(keeper), of(other));

    for index in [&keepers, &others] {
        let exact = catalogue.find("Kubernetes").unwrap().embedding_text();
        let near = nearest(index, &exact).await;
        assert_eq!((near.len(), near[0].skill.as_str()), (3, "Kubernetes"));
        assert!((near[0].similarity - 1.0).abs() < 1e-3, "{near:?}");
        assert!(near.is_sorted_by(|a, b| a.similarity >= b.similarity), "{near:?}");
    }
    let meant = resolved(&others, "Wound dressing and wound healing").await;
    assert_eq!((meant.name.as_str(), meant.matched), ("Wound Care", true));

    // too far to be meant: suggested, the nearest first
    let foreign = resolved(&others, "Queries in PostgreSQL").await;
    assert_eq!((foreign.name.as_str(), foreign.matched), ("Queries in PostgreSQL", false));
    assert_eq!(foreign.suggestions[0], "Analytical SQL");
    let memory = MemoryIndex::of(catalogue, &embedder).await.unwrap();
    let exact = memory.nearest(&place("Queries in PostgreSQL").await, catalogue.skills().len()).await.unwrap();
    let rank = |name: &String| exact.iter().position(|near| near.skill == *name).unwrap();
    assert!(foreign.suggestions.iter().map(rank).is_sorted(), "{:?}", foreign.suggestions);

    let asked = "Keeping bees in hives";
    let own = resolved(&keepers, asked).await;
    assert_eq!((own.name.as_str(), own.matched), ("Beekeeping", true));
    let unknown = resolved(&others, asked).await;
    assert!(!unknown.matched && !unknown.suggestions.contains(&own.name), "{unknown:?}");
    assert_eq!(keepers.named("beekeeping").await.unwrap().as_deref(), Some("Beekeeping"));
    assert_eq!(others.named("beekeeping").await.unwrap(), None);
}

#[tokio::test]
async fn without_an_embedder_skills_are_found_by_name() {
    let ground = ground().await;
    index::seed(&ground.store, Catalogue::seeded(), &HashEmbedder::default()).await.unwrap();
    let keeper = ground.tenant(None).await;
    add_skill(&ground, keeper, "Beekeeping", "Keeping hives of bees through the year.").await;
    let index = PgIndex::new(ground.store.clone(), keeper, None);
    let wanted = ["BEEKEEPING", "k8s", "Keeping bees in hives"].map(|name| RequestedSkill {
        name: name.to_owned(),
        level: None,
        must_have: true,
    });
    let found = resolve(&wanted, Catalogue::seeded(), &index, None, &SETTINGS).await.unwrap();
    let found: Vec<(&str, bool)> = found.iter().map(|skill| (skill.name.as_str(), skill.matched)).collect();
    assert_eq!(found, [("Beekeeping", true), ("Kubernetes", true), ("Keeping bees in hives", false)]);
    assert!(nearest(&index, "Keeping bees in hives").await.is_empty(), "in no space, nothing is near");
}
