//! Many over one: RPCs, tabs and channels over a connection that ends.

use std::io::Read;

use disconnect_attribution::ConnectType::{AgentToClient, ServerToAgent};
use disconnect_attribution::{
    DisconnectGuard, DisconnectReason, Evidence, Initiator, TrackedStream, Trigger,
    classify_coordinator_rpc_exit,
};

use super::{line, read_to_the_end};
use crate::support::{Lines, client_closed, connection, reported, reset, words};

/// Two RPCs run over one connection; the failure of the first cancels the second.
#[test]
fn a_network_failure_of_one_rpc_is_also_the_cause_of_the_one_it_cancels() {
    let (client, socket) = connection();
    let lines = Lines::default();
    let connection = reported(ServerToAgent);
    let mut stream = TrackedStream::new(socket, ServerToAgent, Initiator::Client, connection.clone());
    let [coordination, relay_map] =
        [(), ()].map(|()| DisconnectGuard::new(ServerToAgent, lines.emit()).with_cause(connection.child()));
    reset(client);
    let result = stream.read(&mut [0]);
    coordination.close(classify_coordinator_rpc_exit(false, &result));
    let is_cancelled = result.is_err();
    relay_map.close(classify_coordinator_rpc_exit(is_cancelled, &Ok::<_, std::io::Error>(())));
    for line in lines.take() {
        assert_eq!(line.reason(), DisconnectReason::NetworkError);
        assert_eq!(line.trigger(), Some(Trigger::Reset));
        assert_eq!(line.origin(), Some(ServerToAgent));
    }
}

#[test]
fn a_user_who_closes_one_tab_does_not_explain_the_outage_of_the_next() {
    let (tab, other_tab) = (Lines::default(), Lines::default());
    let connection = line(reset, |guard, stream| {
        let [closed, open] = [&tab, &other_tab].map(|lines| lines.guard().with_cause(guard.cause().child()));
        closed.cause().record(Evidence::Peer, client_closed());
        drop(closed);
        read_to_the_end(guard, stream);
        drop(open);
        None
    });
    assert_eq!(words(&tab.one()), "agent_to_client ended by client: client_closed");
    assert!(connection.contains("network_error (reset, peer client): read failed"), "{connection}");
    let inherited = other_tab.one();
    assert_eq!(inherited.origin(), Some(AgentToClient));
    assert_eq!(inherited.trigger(), Some(Trigger::Reset));
}

#[test]
fn one_outage_under_65_channels_is_one_line_without_an_origin() {
    let channels = Lines::default();
    let connection = line(reset, |guard, stream| {
        let open: Vec<_> = (0..65).map(|_| channels.guard().with_cause(guard.cause().child())).collect();
        read_to_the_end(guard, stream);
        drop(open);
        None
    });
    assert!(!connection.contains("from "), "{connection}");
    let lines = channels.take();
    assert_eq!(lines.len(), 65);
    assert!(lines.iter().all(|line| line.origin() == Some(AgentToClient)));
}
