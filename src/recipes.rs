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
}
