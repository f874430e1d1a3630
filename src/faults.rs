//! The fault matrix: what breaks, and what the line says.
//!
//! Each row is a real fault against a real peer (OpenSSH's client, tungstenite, tonic), and the middle
//! column is the exact text of the [`Disconnect`](crate::Disconnect) that came out, as its `Display`
//! prints it. The tests read their expectations from this table.
//!
//! # SSH
//!
//! An agent's server on russh, OpenSSH's `ssh` as the client.
//!
//! | fault | the line says | |
//! |---|---|---|
//! | SSH exit 0 | `agent_to_client ended: graceful (exit code 0)` | |
//! | SSH exit 7 | `agent_to_client ended: process_exited (exit code 7): process exited with error status: 7` | |
//! | SSH command killed by a signal | `agent_to_client ended: process_exited (exit code 255): process exited with signal: 9 (SIGKILL)` | the client exits with 255 too |
//! | SSH client killed with SIGKILL | `agent_to_client ended by network: network_error` | its kernel still sends a FIN: an end of file without a goodbye |
//! | SSH client killed with bytes unread | `agent_to_client ended by network: network_error: read failed: Connection reset by peer (os error 104)` | its kernel resets instead |
//! | SSH client leaves with ~. | `agent_to_client ended by client: client_closed` | |
//! | SSH client sends disconnect 11 | `agent_to_client ended by client: client_closed` | russh ends without an error and keeps the code to itself, so there is no `disconnect_code` |
//! | SSH network reset | `agent_to_client ended by network: network_error: read failed: Connection reset by peer (os error 104)` | |
//! | garbage instead of SSH | `agent_to_client ended by client: protocol_error: invalid SSH version string` | there never was a session, so the connection logs it |
//! | SSH unsupported subsystem | `agent_to_client ended by agent: rejected: unsupported subsystem: sftp` | |
//! | agent Ctrl-C with an open SSH session | `agent_to_client ended by agent: server_shutdown (exit code 255)` | the command was hung up on |
//! | agent Ctrl-C with a silent SSH client | `agent_to_client ended by agent: server_shutdown` | |
//! | workspace stopped with an open SSH session | `agent_to_client ended by server: workspace_stopped` | the hang-up that follows is noise |
//! | forwarded channel closed by the client | `agent_to_client ended: graceful: normal close` | |
//! | forwarded channel closed by its target | `agent_to_client ended: graceful: normal close` | SSH says that a channel closed, not which end began |
//! | forwarded channel reset by its target | `agent_to_client ended: network_error: Connection reset by peer (os error 104)` | |
//! | forwarded channel of a client killed with SIGKILL | `agent_to_client ended by network: network_error` | the cause of the connection that carried it |
//!
//! # WebSocket
//!
//! An agent's control plane on tokio-tungstenite, tungstenite as the server.
//!
//! | fault | the line says | |
//! |---|---|---|
//! | WebSocket close 1000 | `server_to_agent ended by server: graceful (websocket:1000): done` | |
//! | WebSocket close 1001 | `server_to_agent ended by server: server_shutdown (websocket:1001): server is going away` | |
//! | WebSocket close 1002 | `server_to_agent ended by server: protocol_error (websocket:1002): unexpected continuation frame` | |
//! | WebSocket close 1008 | `server_to_agent ended by server: rejected (websocket:1008): token expired` | |
//! | WebSocket close 1011 | `server_to_agent ended by server: unknown (websocket:1011): database is down` | an internal error is a bug to look into |
//! | WebSocket close 4321, unlisted | `server_to_agent ended by server: unknown (websocket:4321): quota\nINFO all is well` | the code is kept, the line break is not |
//! | WebSocket close without a code | `server_to_agent ended by server: graceful (websocket:1005)` | |
//! | WebSocket bad frame | `server_to_agent ended by server: protocol_error: WebSocket protocol error: Encountered invalid opcode: 15` | tungstenite reports it, and sends no 1002 by itself |
//! | TCP reset in the middle of a WebSocket frame | `server_to_agent ended by network: network_error: read failed: Connection reset by peer (os error 104)` | |
//! | WebSocket ping timeout | `server_to_agent ended by network: network_error: ping timed out` | |
//! | WebSocket server restarted (close 1012) | `server_to_agent ended by server: server_shutdown (websocket:1012): upgrade` | and the agent dials again |
//! | WebSocket server killed (1006) | `server_to_agent ended by network: network_error (websocket:1006)` | nobody sends a 1006: the library makes it up |
//!
//! # gRPC
//!
//! A stream between a tonic client, the agent's, and a tonic server. tonic gives a `Status` a source
//! exactly where no server sent it; that tells `Initiator::Network` from `Initiator::Server`.
//!
//! | fault | the line says | |
//! |---|---|---|
//! | gRPC stream finished by the server | `server_to_agent ended by server: graceful (grpc:0)` | |
//! | gRPC PERMISSION_DENIED | `server_to_agent ended by server: rejected (grpc:7): token revoked` | |
//! | gRPC server shutdown | `server_to_agent ended by server: server_shutdown (grpc:14): server is shutting down` | |
//! | gRPC server killed | `server_to_agent ended by network: network_error` | tonic makes up an UNKNOWN; the tracked stream saw the end of file first |
//! | gRPC server killed with bytes unread | `server_to_agent ended by network: network_error: read failed: Connection reset by peer (os error 104)` | its kernel resets instead |
//! | gRPC client cancel, at the client | `server_to_agent ended by agent: server_shutdown` | |
//! | gRPC client cancel, at the server | `server_to_agent ended: unknown: dropped without a reason: cancelled task or early return` | tonic drops the handler and keeps the client's `RST_STREAM` to itself |
//! | gRPC deadline | `server_to_agent ended by network: network_error (grpc:1): Timeout expired` | tonic's client says CANCELLED where others say DEADLINE_EXCEEDED |
//! | gRPC UNAVAILABLE from the wire | `server_to_agent ended by server: server_shutdown (grpc:14): too many agents` | |
//! | gRPC UNAVAILABLE made up locally | `server_to_agent ended by network: network_error (grpc:14): Connection refused (os error 111)` | nothing was established: a guard would not have been made yet |
