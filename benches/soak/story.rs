//! What happens to each connection, and the line that it must leave.

/// How a connection ends. Decided by its number alone, so that no process has to ask another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Story {
    Killed,
    KilledWithUnreadBytes,
    Reset,
    Aborted,
    Superseded,
    Panicking,
    WithoutGoodbye,
    BetweenRequests,
    Garbage,
    Idle,
    Goodbye,
    /// Open until the server shuts down.
    Held,
}

pub(crate) const STORIES: [Story; 12] = [
    Story::Killed,
    Story::KilledWithUnreadBytes,
    Story::Reset,
    Story::Aborted,
    Story::Superseded,
    Story::Panicking,
    Story::WithoutGoodbye,
    Story::BetweenRequests,
    Story::Garbage,
    Story::Idle,
    Story::Goodbye,
    Story::Held,
];

/// How many connections are open when the server shuts down, beside those that ended before.
pub(crate) const HELD: u64 = 200;

/// What a line must read, but for the times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) words: &'static str,
    pub(crate) received: u64,
    pub(crate) sent: u64,
}

impl Story {
    /// A tenth is killed, a tenth reset, a tenth cancelled, a tenth panics; by twentieths.
    pub(crate) const fn of(number: u64) -> Self {
        match number % 20 {
            0 => Self::Killed,
            1 => Self::KilledWithUnreadBytes,
            2 | 3 => Self::Reset,
            4 => Self::Aborted,
            5 => Self::Superseded,
            6 | 7 => Self::Panicking,
            8 => Self::WithoutGoodbye,
            9 => Self::BetweenRequests,
            10 => Self::Garbage,
            11 => Self::Idle,
            _ => Self::Goodbye,
        }
    }

    pub(crate) const fn is_killed(self) -> bool {
        matches!(self, Self::Killed | Self::KilledWithUnreadBytes)
    }

    /// How many bytes a client asks to be greeted with. A socket that is closed over bytes that were not
    /// read sends a reset in place of a FIN (RFC 1122, section 4.2.2.13).
    pub(crate) const fn greeting(self) -> u8 {
        match self {
            Self::KilledWithUnreadBytes => 2,
            _ => 1,
        }
    }

    /// What a client writes after the greeting, if anything.
    pub(crate) const fn command(self) -> Option<u8> {
        match self {
            Self::Panicking => Some(b'p'),
            Self::BetweenRequests => Some(b'r'),
            Self::Garbage => Some(b'?'),
            Self::Idle => Some(b'i'),
            Self::Goodbye => Some(b'g'),
            Self::Killed
            | Self::KilledWithUnreadBytes
            | Self::Reset
            | Self::Aborted
            | Self::Superseded
            | Self::WithoutGoodbye
            | Self::Held => None,
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Killed => "client killed",
            Self::KilledWithUnreadBytes => "client killed, bytes unread",
            Self::Reset => "reset by the client",
            Self::Aborted => "task aborted without a cause",
            Self::Superseded => "task aborted after a cause",
            Self::Panicking => "handler panics",
            Self::WithoutGoodbye => "FIN without a goodbye",
            Self::BetweenRequests => "FIN between two requests",
            Self::Garbage => "garbage",
            Self::Idle => "idle for too long",
            Self::Goodbye => "goodbye",
            Self::Held => "open at the shutdown",
        }
    }

    pub(crate) const fn expected(self) -> Expected {
        let (words, received, sent) = match self {
            Self::Killed | Self::WithoutGoodbye => (
                "agent_to_client ended by network: network_error (end_of_file)",
                9,
                1,
            ),
            Self::KilledWithUnreadBytes => (RESET, 9, 2),
            Self::Reset => (RESET, 9, 1),
            Self::Aborted => (
                "agent_to_client ended: unknown (dropped): \
                 no cause was recorded: cancelled task or early return",
                9,
                1,
            ),
            Self::Superseded => (
                "agent_to_client ended by agent: graceful (superseded)",
                9,
                1,
            ),
            Self::Panicking => (
                "agent_to_client ended: unknown (panic): ended by a panic",
                10,
                1,
            ),
            Self::BetweenRequests => (
                "agent_to_client ended by client: client_closed (end_of_file)",
                10,
                2,
            ),
            Self::Garbage => (
                "agent_to_client ended: protocol_error: no such command: '?'",
                10,
                1,
            ),
            Self::Idle => (
                "agent_to_client ended by agent: graceful (idle_timeout)",
                10,
                1,
            ),
            Self::Goodbye => ("agent_to_client ended by client: client_closed", 10, 2),
            Self::Held => (
                "agent_to_client ended by agent: server_shutdown (from server_to_agent)",
                9,
                1,
            ),
        };
        Expected {
            words,
            received,
            sent,
        }
    }
}

const RESET: &str = "agent_to_client ended by network: network_error (reset): \
                     read failed: Connection reset by peer (os error 104)";
