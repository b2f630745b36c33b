//! What a person sees: one struct per page, rendered by a template in the language asked for.
