# The datasets, in one location: BigQuery joins no tables of different locations.

resource "google_bigquery_dataset" "raw" {
  dataset_id  = "raw"
  location    = var.location
  description = "Source tables. The API appends rows to them; refreshes only read them."
  depends_on  = [google_project_service.needed]

  lifecycle {
    prevent_destroy = true
  }
}

resource "google_bigquery_dataset" "built" {
  for_each    = var.datasets
  dataset_id  = each.value
  location    = var.location
  description = "Tables that refreshes build from the scripts in res/${each.value}."
  depends_on  = [google_project_service.needed]
}

resource "google_bigquery_dataset" "own" {
  dataset_id                 = "_warehouse" # BigQuery's console hides a name that begins so
  location                   = var.location
  description                = "What the tool keeps for itself: whose turn a refresh is, and the keys of rows that were stored."
  delete_contents_on_destroy = true
  depends_on                 = [google_project_service.needed]
}

# Where a refresh builds tables, until it publishes them. What a refresh that died has left goes after a week.
resource "google_bigquery_dataset" "staged" {
  dataset_id                  = "_warehouse_staged"
  location                    = var.location
  description                 = "Tables that a refresh has built and not published yet."
  default_table_expiration_ms = 604800000
  delete_contents_on_destroy  = true
  depends_on                  = [google_project_service.needed]
}

# People who look at the data: they read every dataset, and pay for their queries with this project.

locals {
  all_datasets = merge(
    { raw = google_bigquery_dataset.raw.dataset_id },
    { for name, dataset in google_bigquery_dataset.built : name => dataset.dataset_id },
  )
  views = { for pair in setproduct(keys(local.all_datasets), var.viewers) : "${pair[0]} ${pair[1]}" => pair }
}

resource "google_bigquery_dataset_iam_member" "viewers" {
  for_each   = local.views
  dataset_id = local.all_datasets[each.value[0]]
  role       = "roles/bigquery.dataViewer"
  member     = each.value[1]
}

resource "google_project_iam_member" "viewers" {
  for_each   = var.viewers
  project    = var.project
  role       = "roles/bigquery.jobUser"
  member     = each.value
  depends_on = [google_project_service.needed]
}
