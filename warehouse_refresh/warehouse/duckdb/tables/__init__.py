"""What stands in the file beside the rows: names, declared types, views, and tables that are not published yet."""
