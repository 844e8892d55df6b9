//! The serving side of the node-to-node service.

use super::{
    ActError, Delivered, PeerHandler,
    generated::peer_server::{Peer, PeerServer},
    message::{Deliver, Json, Nothing, Outcome, Replaced, Tree, TreeAsked, TreeRow},
};
use crate::{
    trace::{self, TraceContext},
    tree::Known,
};
use futures::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use std::{future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Server, server::TcpIncoming},
};

/// Serves `handler` to peers that know `secret`, until `stop` resolves; calls in progress are finished first.
pub async fn serve(
    listener: TcpListener,
    handler: Arc<dyn PeerHandler>,
    secret: &str,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let expected = Sha256::digest(format!("Bearer {secret}"));
    let stopping = CancellationToken::new();
    let service = Service { handler, stopping: stopping.clone() };
    let guarded = PeerServer::with_interceptor(service, move |request: Request<()>| {
        let given = request.metadata().get("authorization").map(|value| Sha256::digest(value.as_bytes()));
        // Digests are compared, so that the time taken tells nothing of the secret.
        if given == Some(expected) { Ok(request) } else { Err(Status::unauthenticated("unknown peer")) }
    });
    Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(guarded)
        .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), async move {
            stop.await;
            stopping.cancel();
        })
        .await
}

struct Service {
    handler: Arc<dyn PeerHandler>,
    /// Ends the delivery streams, which would otherwise keep a stopping node waiting for its peers.
    stopping: CancellationToken,
}

#[tonic::async_trait]
impl Peer for Service {
    type DeliverStream = Pin<Box<dyn Stream<Item = Result<Outcome, Status>> + Send>>;

    async fn deliver(&self, request: Request<Streaming<Deliver>>) -> Result<Response<Self::DeliverStream>, Status> {
        let state = (request.into_inner(), self.handler.clone(), self.stopping.clone());
        let outcomes = stream::unfold(state, |(mut incoming, handler, stopping)| async move {
            let delivery: Deliver = tokio::select! {
                () = stopping.cancelled() => return None,
                delivery = incoming.next() => delivery?.ok()?,
            };
            let offset = delivery.offset;
            let delivered = match delivery.message() {
                Ok(message) => handler.deliver(message, offset).await,
                Err(error) => {
                    tracing::warn!(%error, "a peer's delivery could not be read");
                    Delivered::NotHere
                }
            };
            Some((Ok(Outcome { here: delivered == Delivered::Here }), (incoming, handler, stopping)))
        });
        Ok(Response::new(outcomes.boxed()))
    }

    async fn replaced(&self, request: Request<Replaced>) -> Result<Response<Nothing>, Status> {
        let Replaced { session, generation } = request.into_inner();
        let session = session.parse().map_err(|_| Status::invalid_argument("not a session"))?;
        self.handler.replaced(session, generation).await;
        Ok(Response::new(Nothing {}))
    }

    async fn tree(&self, request: Request<TreeAsked>) -> Result<Response<Tree>, Status> {
        let TreeAsked { run, version } = request.into_inner();
        let changes = self.handler.tree(&Known { run, version }).await;
        let changes = changes.ok_or_else(|| Status::unimplemented("no actors on this node"))?;
        Ok(Response::new(Tree {
            node: json(&changes.node)?.json,
            run: changes.known.run,
            version: changes.known.version,
            whole: changes.whole,
            rows: changes.rows.into_iter().map(|(id, json)| TreeRow { id, json }).collect(),
            removed: changes.removed,
        }))
    }

    async fn act(&self, request: Request<Json>) -> Result<Response<Json>, Status> {
        let caller: Option<TraceContext> =
            request.metadata().get(trace::HEADER).and_then(|value| value.to_str().ok()?.parse().ok());
        let action = serde_json::from_slice(&request.into_inner().json)
            .map_err(|error| Status::invalid_argument(error.to_string()))?;
        match trace::within(caller.map(TraceContext::child), self.handler.act(action)).await {
            Ok(answer) => Ok(Response::new(json(&answer)?)),
            Err(ActError::Unknown) => Err(Status::unimplemented("no such action")),
            Err(ActError::Refused(why)) => Err(Status::failed_precondition(why)),
        }
    }
}

fn json(value: &impl serde::Serialize) -> Result<Json, Status> {
    let json = serde_json::to_vec(value).map_err(|error| Status::internal(error.to_string()))?;
    Ok(Json { json: json.into() })
}
