//! One owner an epoch, and a stale owner's writes refused.

use crate::fixture;
use futures::FutureExt;
use maya_protocol::{
    ids::{Epoch, NodeId, TurnId},
    interview::{Speaker, Turn, TurnContext},
};
use maya_store::{
    Store, StoreError,
    fenced::{BatchId, FencedTx, Owner, Writes},
    placements::{self, LogPosition, PlacementState},
    turns,
};
use std::time::Duration;

fn turn(n: u32) -> Turn {
    Turn {
        turn_id: TurnId(n),
        speaker: Speaker::Maya,
        text: "words".into(),
        started_at: fixture::now(),
        ended_at: fixture::now(),
        context: TurnContext::default(),
    }
}

/// One attempt to record the first turn and a position, up to its commit.
async fn write(store: &Store, owner: Owner) -> Result<FencedTx, StoreError> {
    let mut tx = store.fenced(owner, BatchId::fresh()).await?;
    let position = LogPosition { incarnation: "a".into(), offset: 7 };
    tx.write(Writes::new(owner).turn(&turn(0), fixture::now()).position(&position)).await?;
    Ok(tx)
}

#[tokio::test]
async fn of_many_claims_of_one_epoch_one_wins() {
    let store = fixture::store().await;
    let tenant = fixture::tenant(&store).await;
    let (_, session) = fixture::session(&store, tenant).await;
    let claims = (0..8).map(|_| async {
        let mut tx = store.system().await.unwrap();
        let claimed = placements::claim(&mut tx, session, Epoch(0), &NodeId::fresh()).await.unwrap();
        tx.commit().await.unwrap();
        claimed.map(|placement| placement.epoch)
    });
    let won: Vec<_> = futures::future::join_all(claims).await.into_iter().flatten().collect();
    assert_eq!(won, [Epoch(1)]);
}

#[tokio::test]
async fn a_stale_owner_writes_nothing_and_an_ended_session_has_no_owner() {
    let store = fixture::store().await;
    let tenant = fixture::tenant(&store).await;
    let (interview, session) = fixture::session(&store, tenant).await;
    let claim = async |seen: u64| {
        let mut tx = store.system().await.unwrap();
        let claimed = placements::claim(&mut tx, session, Epoch(seen), &NodeId::fresh()).await.unwrap();
        tx.commit().await.unwrap();
        claimed.map(|placement| placement.epoch)
    };
    let owner = |epoch| Owner { tenant, interview, session, epoch: Epoch(epoch) };
    assert!(matches!(write(&store, owner(0)).await, Err(StoreError::Fenced { .. })));
    assert_eq!(claim(0).await, Some(Epoch(1)));
    write(&store, owner(1)).await.unwrap().commit().await.unwrap();
    assert_eq!(claim(1).await, Some(Epoch(2)));
    assert!(matches!(write(&store, owner(1)).await, Err(StoreError::Fenced { held: Epoch(1) })));
    // the epoch is right and the tenant is not
    let other = fixture::tenant(&store).await;
    assert!(matches!(write(&store, Owner { tenant: other, ..owner(2) }).await, Err(StoreError::Fenced { .. })));

    let mut sys = store.system().await.unwrap();
    let placement = placements::read(&mut sys, session).await.unwrap();
    assert_eq!((placement.epoch, placement.state), (Epoch(2), PlacementState::Live));
    assert_eq!(placement.position, Some(LogPosition { incarnation: "a".into(), offset: 7 }));
    assert_eq!(placements::live(&mut sys, &[placement.partition]).await.unwrap(), [placement]);
    sys.commit().await.unwrap();

    let mut tx = store.fenced(owner(2), BatchId::fresh()).await.unwrap();
    tx.write(Writes::new(owner(2)).end()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(claim(2).await, None);
    assert!(matches!(write(&store, owner(2)).await, Err(StoreError::Fenced { .. })));
    let mut tx = store.tenant(tenant).await.unwrap();
    assert_eq!(turns::of_interview(&mut tx, interview).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_new_owner_waits_for_what_the_old_one_is_writing() {
    let store = fixture::store().await;
    let tenant = fixture::tenant(&store).await;
    let (interview, session) = fixture::session(&store, tenant).await;
    let mut sys = store.system().await.unwrap();
    placements::claim(&mut sys, session, Epoch(0), &NodeId::fresh()).await.unwrap();
    sys.commit().await.unwrap();

    let old = write(&store, Owner { tenant, interview, session, epoch: Epoch(1) }).await.unwrap();
    let mut sys = store.system().await.unwrap();
    let node = NodeId::fresh();
    let mut claim = Box::pin(placements::claim(&mut sys, session, Epoch(1), &node));
    // the claim reaches the server and waits there for the row
    let waiting = maya_testkit::eventually(fixture::SOON, || async {
        let mut tx = store.system().await.unwrap();
        let locks = fixture::count(&mut tx, "select count(*) from pg_locks where not granted").await;
        (locks > 0).then_some(())
    });
    tokio::select! {
        done = &mut claim => panic!("the claim did not wait: {done:?}"),
        () = waiting => {}
    }
    assert!(claim.as_mut().now_or_never().is_none());
    old.commit().await.unwrap();
    let epoch = tokio::time::timeout(Duration::from_secs(30), claim).await.unwrap().unwrap();
    assert_eq!(epoch.map(|placement| placement.epoch), Some(Epoch(2)));
    sys.commit().await.unwrap();
    let mut tx = store.tenant(tenant).await.unwrap();
    assert_eq!(turns::count(&mut tx, interview).await.unwrap(), 1);
}
