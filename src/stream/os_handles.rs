//! The operating system's handle, if the stream has one.

macro_rules! handles {
    ($($(#[$attribute:meta])* $borrow:ident::$borrow_method:ident -> $borrowed:ident,
        $raw:ident::$raw_method:ident -> $raw_handle:ident;)*) => {$(
        $(#[$attribute])*
        const _: () = {
            #[cfg(unix)]
            use std::os::fd::{$borrow, $borrowed, $raw, $raw_handle};
            #[cfg(windows)]
            use std::os::windows::io::{$borrow, $borrowed, $raw, $raw_handle};

            impl<S: $borrow, G> $borrow for crate::TrackedStream<S, G> {
                fn $borrow_method(&self) -> $borrowed<'_> {
                    self.get_ref().$borrow_method()
                }
            }

            impl<S: $raw, G> $raw for crate::TrackedStream<S, G> {
                fn $raw_method(&self) -> $raw_handle {
                    self.get_ref().$raw_method()
                }
            }
        };
    )*};
}

handles! {
    #[cfg(unix)]
    AsFd::as_fd -> BorrowedFd, AsRawFd::as_raw_fd -> RawFd;
    #[cfg(windows)]
    AsSocket::as_socket -> BorrowedSocket, AsRawSocket::as_raw_socket -> RawSocket;
    #[cfg(windows)]
    AsHandle::as_handle -> BorrowedHandle, AsRawHandle::as_raw_handle -> RawHandle;
}
