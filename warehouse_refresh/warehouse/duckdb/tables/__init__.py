"""What the file contains beside rows: names, declared types, views, and tables that are not published yet."""
