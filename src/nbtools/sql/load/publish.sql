-- Puts the loaded event tables in the place of those that were there.
-- Parameters: none
EXCHANGE TABLES
    app.loading_feed_actions AND app.feed_actions,
    app.loading_message_actions AND app.message_actions
