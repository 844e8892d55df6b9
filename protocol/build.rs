//! Writes the client and server of the node-to-node service; its messages are written by hand, so no `protoc` is needed.

use tonic_build::manual::{Builder, Method, Service};

fn method(name: &str, route: &str, input: &str, output: &str) -> tonic_build::manual::MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type(format!("crate::rpc::message::{input}"))
        .output_type(format!("crate::rpc::message::{output}"))
        .codec_path("tonic_prost::ProstCodec")
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let peer = Service::builder()
        .name("Peer")
        .package("maya.v1")
        .method(method("deliver", "Deliver", "Deliver", "Outcome").client_streaming().server_streaming().build())
        .method(method("replaced", "Replaced", "Replaced", "Nothing").build())
        .method(method("tree", "Tree", "TreeAsked", "Tree").build())
        .method(method("act", "Act", "Json", "Json").build())
        .build();
    Builder::new().compile(&[peer]);
}
