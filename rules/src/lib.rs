//! The law on a date: the policy, the business calendar, due dates.
