//! A router, served with the recipe's listener.

use std::net::SocketAddr;

use axum::Router;
use disconnect_attribution::Cause;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::lines::Lines;
use recipes::axum_listener::{Attributed, Connection};

/// Serves in a runtime of its own, so that its tasks can be dropped; `lines` has the connections' ends.
pub(crate) fn serve(router: Router, agent: &Cause, lines: &Lines, is_http2: bool) -> (SocketAddr, Runtime) {
    let runtime = Runtime::new().expect("a runtime");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("set");
    let (agent, lines) = (agent.clone(), lines.clone());
    let router = router.into_make_service_with_connect_info::<Connection>();
    runtime.spawn(async move {
        let listener = Attributed {
            listener: TcpListener::from_std(listener).expect("in a runtime"),
            agent,
            is_http2,
            log: move |end| lines.emit()(end),
        };
        axum::serve(listener, router).await
    });
    (address, runtime)
}
