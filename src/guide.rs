//! Pages beside the reference: how a guard finds the true cause, what each fault looks like in a log, recipes to
//! copy, and what the readers of the logs need.

#[doc = include_str!("pages/guard.md")]
pub mod guard {}

#[doc = concat!(include_str!("pages/faults.md"), "\n", include_str!("pages/faults_agent.md"))]
pub mod faults {}

#[doc = include_str!("pages/operations.md")]
pub mod operations {}

#[doc = include_str!("pages/go_agents.md")]
pub mod go_agents {}

#[doc = include_str!("pages/recipes.md")]
pub mod recipes {
    macro_rules! recipes {
        ($($module:ident: $file:literal, $title:literal;)*) => {$(
            // For the docs alone: a checkout without symbolic links still builds.
            #[cfg_attr(doc, doc = concat!($title, "\n\n```rust,ignore\n", include_str!(concat!("pages/recipes/", $file)), "```"))]
            #[cfg_attr(not(doc), doc = $title)]
            pub mod $module {}
        )*};
    }

    recipes! {
        proxy: "proxy.rs", "A TCP proxy on tokio's `copy_bidirectional`.";
        teardown: "teardown.rs", "A program that stops, at once or after a drain.";
        websocket: "websocket.rs", "A WebSocket, at its server and at its client.";
        broker: "broker.rs", "A broker: its reason codes, and a session that is taken over.";
        terminal: "terminal.rs", "A shell's terminal over a WebSocket.";
        http_server: "http_server.rs", "An axum `Router` over hyper, HTTP/1 and HTTP/2.";
        http2: "http2.rs", "What an error of HTTP/2 explains, and the end of a client's connection.";
        http_body: "http_body.rs", "A streaming HTTP response body.";
        quic: "quic.rs", "A QUIC connection and its streams.";
        tls: "tls.rs", "TLS over a tracked stream.";
        axum_listener: "axum_listener.rs", "Attribution under `axum::serve`.";
        tonic_server: "tonic_server.rs", "A gRPC server's streams.";
        tonic_client: "tonic_client.rs", "A gRPC client's stream.";
        russh_connection: "russh_connection.rs", "An SSH server's connection.";
        russh_end: "russh_end.rs", "What russh's result means.";
        russh_phase: "russh_phase.rs", "How far an SSH server's client has come, and what its end means by that.";
        russh_channel: "russh_channel.rs", "What a client sends over an SSH channel.";
        russh_forward: "russh_forward.rs", "Forwarded channels of an SSH server.";
        whole_lines: "whole_lines.rs", "A writer behind which a torn line does not spoil the next one.";
    }
}
