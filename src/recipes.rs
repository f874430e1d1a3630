#![doc = include_str!("pages/recipes.md")]

macro_rules! recipes {
    ($($module:ident: $file:literal, $title:literal;)*) => {$(
        #[doc = concat!($title, "\n\n```rust,ignore\n", include_str!(concat!("pages/recipes/", $file)), "```")]
        pub mod $module {}
    )*};
}

recipes! {
    proxy_std: "proxy_std.rs", "A TCP proxy on plain threads.";
    proxy_tokio: "proxy_tokio.rs", "A TCP proxy on tokio's `copy_bidirectional`.";
    teardown_slog: "teardown_slog.rs", "A program that drains with a deadline, with slog-async.";
    teardown_tracing: "teardown_tracing.rs", "A program that stops at once, with tracing-appender.";
    websocket: "websocket.rs", "A WebSocket, at its server and at its client.";
    http: "http.rs", "An HTTP/1 connection on hyper.";
    http_body: "http_body.rs", "A streaming HTTP response body.";
    quinn: "quinn.rs", "A QUIC connection and its streams.";
    rustls: "rustls.rs", "TLS over a tracked stream, and under one.";
    axum_listener: "axum_listener.rs", "Attribution under `axum::serve`.";
    axum_websocket: "axum_websocket.rs", "A WebSocket in axum.";
    tonic_server: "tonic_server.rs", "A gRPC server's stream.";
    tonic_client: "tonic_client.rs", "A gRPC client's stream.";
    russh_connection: "russh_connection.rs", "An SSH server's connection.";
    russh_session: "russh_session.rs", "Sessions and forwarded channels of an SSH server.";
}
